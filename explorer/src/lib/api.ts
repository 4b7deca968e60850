/** Questions to the study; types are generated from the server's OpenAPI document. */
import type { components, paths } from "../api/schema";
import { everyText, original, parsed } from "./hidden";

export type Schemas = components["schemas"];
type Answers<P extends keyof paths> = paths[P] extends { get: { responses: { 200: { content: { "application/json": infer A } } } } }
  ? A
  : paths[P] extends { post: { responses: { 200: { content: { "application/json": infer A } } } } }
    ? A
    : never;

export interface Diagnostic {
  code: string;
  problem: string;
  fix: string;
}

export class Refused extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((entry) => entry.problem).join("; "));
  }
}

const GONE: Diagnostic = {
  code: "",
  problem: "The explorer does not answer",
  fix: "It was stopped. Start it again (conspect explore STUDY) and open the address that it prints. Nothing that was decided is lost: tags and decisions are in the study's folder.",
};

async function answered(response: Response): Promise<unknown> {
  if (response.ok) return parsed(await response.text());
  let diagnostics: readonly Diagnostic[] = [];
  try {
    diagnostics = (parsed(await response.text()) as { diagnostics: Diagnostic[] }).diagnostics;
  } catch {
    // Not our own refusal: say what little is known.
  }
  throw new Refused(diagnostics.length ? diagnostics : [{ ...GONE, problem: `The explorer answered ${response.status}` }]);
}

async function asked(address: string, options?: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused([GONE]);
  }
  return answered(response);
}

type Values = Readonly<Record<string, string | number | undefined>>;

export function query(values: Values): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined && value !== "") search.set(key, original(String(value)));
  const text = search.toString();
  return text ? `?${text}` : "";
}

export async function ask<P extends keyof paths & string>(path: P, values: Values = {}, signal?: AbortSignal): Promise<Answers<P>> {
  return (await asked(path + query(values), signal ? { signal } : undefined)) as Answers<P>;
}

// Con_spec has escapes of its own.
const SPECIFICATIONS = ["text"];

export async function tell<P extends keyof paths & string>(path: P, body: unknown, signal?: AbortSignal): Promise<Answers<P>> {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(everyText(body, original, SPECIFICATIONS)), ...(signal ? { signal } : {}) };
  return (await asked(path, options)) as Answers<P>;
}

/** A picture from outside, as it is. */
export async function judge(file: Blob): Promise<Schemas["LiveVerdict"]> {
  const options = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file };
  return (await asked("/api/live", options)) as Schemas["LiveVerdict"];
}

export function picture(row: number, digest: string, side?: 48 | 96 | 192): string {
  return `/picture/${row}${query({ side, v: digest.slice(0, 12) })}`;
}
