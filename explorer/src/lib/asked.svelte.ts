/** An answer that is under way, there, or refused; a newer question cancels the older one. */
import { Refused, type Diagnostic } from "./api";

export class Asked<T> {
  answer = $state.raw<T | undefined>(undefined);
  waiting = $state(false);
  refused = $state.raw<readonly Diagnostic[]>([]);
  private current: AbortController | undefined;

  async ask(question: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.current?.abort();
    const mine = new AbortController();
    this.current = mine;
    this.waiting = true;
    try {
      const answer = await question(mine.signal);
      if (this.current !== mine) return;
      this.answer = answer;
      this.refused = [];
    } catch (error) {
      if (this.current !== mine) return;
      if (!(error instanceof Refused)) throw error;
      this.refused = error.diagnostics;
      this.answer = undefined;
    } finally {
      if (this.current === mine) this.waiting = false;
    }
  }
}
