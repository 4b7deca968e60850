/** Con_spec in the editor: colours, completion and the server's own diagnostics. The server decides what is right. */
import { acceptCompletion, autocompletion, completionKeymap, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { linter, lintGutter, lintKeymap, type Diagnostic } from "@codemirror/lint";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const KEYWORDS = new Set("class concept con network rep img imageCon property Module for forall all every at least each in of where lead near changes share".split(" "));
const CONNECTIVES = new Set("not and or v implies iff".split(" "));
const PREDICATES = new Set(["predict", "hasCon", "accepted"]);
const SHAPES = new Set(["focus", "box", "ellipsoid", "pca-box", "span", "band", "gamma", "shape", "coverage", "image", "images", "near", "changes", "share"]);

export const conspec = StreamLanguage.define<{ comment: boolean }>({
  name: "conspec",
  startState: () => ({ comment: false }),
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match("//") || stream.match("#")) {
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^\d+(?:\.\d+)?%?/)) return "number";
    const word = stream.match(/^[\p{L}_][\p{L}\p{N}_-]*/u);
    if (word && typeof word !== "boolean") {
      const text = word[0];
      if (KEYWORDS.has(text)) return "keyword";
      if (CONNECTIVES.has(text)) return "operatorKeyword";
      if (PREDICATES.has(text)) return "variableName.function";
      if (SHAPES.has(text)) return "typeName";
      return "variableName";
    }
    if (stream.match(/^(?:<=>|<->|=>|->|[>~!^&|¬∧∨⇒→⇔↔])/u)) return "operator";
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "#" } },
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: tags.operatorKeyword, color: "var(--warn)", fontWeight: "600" },
  { tag: tags.operator, color: "var(--warn)" },
  { tag: tags.function(tags.variableName), color: "var(--good)" },
  { tag: tags.typeName, color: "var(--good)" },
  { tag: tags.number, color: "var(--bad)" },
  { tag: tags.string, color: "var(--quiet)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { border: "1px solid var(--line)", borderRadius: "var(--radius)", background: "var(--surface)", fontSize: "0.95rem" },
  ".cm-content": { fontFamily: "ui-monospace, 'DejaVu Sans Mono', monospace", caretColor: "var(--ink)", minHeight: "220px" },
  ".cm-gutters": { background: "var(--sunken)", color: "var(--quiet)", border: "0" },
  ".cm-activeLine": { background: "transparent" },
  ".cm-tooltip": { background: "var(--surface)", border: "1px solid var(--line)", color: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--focus)" },
});

export interface Problem {
  code: string;
  problem: string;
  fix: string;
  line?: number | null;
  column?: number | null;
  warning: boolean;
}

function marked(state: EditorState, problem: Problem): Diagnostic {
  const line = state.doc.line(Math.max(1, Math.min(state.doc.lines, problem.line ?? 1)));
  const from = Math.min(line.to, line.from + Math.max(0, (problem.column ?? 1) - 1));
  const rest = state.sliceDoc(from, line.to);
  const to = from + (/^[\p{L}\p{N}_.-]+|^./u.exec(rest)?.[0].length ?? 0);
  return { from, to, severity: problem.warning ? "warning" : "error", message: `${problem.problem}\n${problem.fix}`, source: problem.code };
}

export interface EditorOptions {
  parent: HTMLElement;
  text: string;
  names: () => { classes: readonly string[]; concepts: readonly string[] };
  check: (text: string) => Promise<readonly Problem[]>;
  onchange: (text: string) => void;
  onrun: () => void;
}

export function editor(options: EditorOptions): EditorView {
  const complete = (context: CompletionContext): CompletionResult | null => {
    const word = context.matchBefore(/[\p{L}_][\p{L}\p{N}_-]*/u);
    if (!word && !context.explicit) return null;
    const { classes, concepts } = options.names();
    const entries: Completion[] = [
      ...concepts.map((label) => ({ label, type: "variable", detail: "concept" })),
      ...classes.map((label) => ({ label, type: "class", detail: "class" })),
      ...[...KEYWORDS, ...CONNECTIVES, ...PREDICATES, ...SHAPES].map((label) => ({ label, type: "keyword" })),
    ];
    return { from: word?.from ?? context.pos, options: entries, validFor: /^[\p{L}\p{N}_-]*$/u };
  };
  const extensions: Extension[] = [
    lineNumbers(), history(), drawSelection(), highlightActiveLine(), bracketMatching(), lintGutter(), conspec, syntaxHighlighting(colours), look,
    EditorView.lineWrapping, autocompletion({ override: [complete] }),
    linter(async (view) => (await options.check(view.state.doc.toString())).map((problem) => marked(view.state, problem)), { delay: 120 }),
    keymap.of([
      { key: "Mod-Enter", run: () => { options.onrun(); return true; } },
      { key: "Tab", run: acceptCompletion },
      ...completionKeymap, ...lintKeymap, ...defaultKeymap, ...historyKeymap,
    ]),
    EditorView.updateListener.of((update) => { if (update.docChanged) options.onchange(update.state.doc.toString()); }),
    EditorView.contentAttributes.of({ "aria-label": "Specification in Con_spec" }),
  ];
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content;
  if (nonce) extensions.push(EditorView.cspNonce.of(nonce));
  return new EditorView({ state: EditorState.create({ doc: options.text, extensions }), parent: options.parent });
}
