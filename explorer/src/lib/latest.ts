/** At most one question under way; while it is, only the newest of those that come is kept. What a drag needs. */
export class Latest<Q> {
  private waiting: Q | undefined;
  private busy = false;

  constructor(private readonly act: (question: Q) => Promise<void>) {}

  async ask(question: Q): Promise<void> {
    this.waiting = question;
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.waiting !== undefined) {
        const next = this.waiting;
        this.waiting = undefined;
        await this.act(next);
      }
    } finally {
      this.busy = false;
    }
  }
}

/** "horns:1.5|wings:-2" to shifts by concept, and back: what an address holds. Names are escaped, so any will do. */
export function shiftsOf(text: string): Record<string, number> {
  const shifts: Record<string, number> = {};
  for (const part of text.split("|")) {
    const at = part.lastIndexOf(":");
    const value = Number(part.slice(at + 1));
    if (at < 1 || !Number.isFinite(value)) continue;
    try {
      shifts[decodeURIComponent(part.slice(0, at))] = value;
    } catch {
      // A broken escape in a link somebody edited: that concept stays where it is.
    }
  }
  return shifts;
}

export function textOf(shifts: Readonly<Record<string, number>>): string {
  return Object.keys(shifts)
    .filter((name) => shifts[name])
    .sort()
    .map((name) => `${encodeURIComponent(name)}:${Number((shifts[name] ?? 0).toFixed(2))}`)
    .join("|");
}
