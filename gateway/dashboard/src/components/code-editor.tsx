// SPDX-License-Identifier: Apache-2.0
// A text editor for policy files, with what is wrong shown in place; and two texts side by side.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, StreamLanguage, syntaxHighlighting, type StreamParser } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { MergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

export interface Problem {
  readonly line: number; // from 1; 0: the file as a whole
  readonly column: number; // from 1; 0: not known
  readonly message: string;
}

const REGO_WORDS = new Set(["package", "import", "default", "if", "else", "in", "every", "some", "not", "contains", "as", "with", "true", "false", "null"]);
const rego: StreamParser<null> = {
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return "comment";
    if (stream.match(/^"(?:[^"\\]|\\.)*"/) || stream.match(/^`[^`]*`/)) return "string";
    if (stream.match(/^-?\d+(?:\.\d+)?/)) return "number";
    const word = stream.match(/^[A-Za-z_]\w*/) as RegExpMatchArray | null;
    if (word) return REGO_WORDS.has(word[0]) ? "keyword" : "variableName";
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "#" } },
};

const colours = HighlightStyle.define([
  { tag: tags.comment, class: "code-comment" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.keyword], class: "code-key" },
  { tag: [tags.string, tags.content], class: "code-text" },
  { tag: [tags.number, tags.bool, tags.null], class: "code-number" },
]);

function languageOf(path: string): Extension {
  return path.endsWith(".rego") ? StreamLanguage.define(rego) : yaml();
}

const look = (path: string): Extension => [lineNumbers(), syntaxHighlighting(colours), bracketMatching(), drawSelection(), languageOf(path), EditorView.lineWrapping];

function diagnosticsOf(state: EditorState, problems: readonly Problem[]): Diagnostic[] {
  return problems.map(({ line, column, message }) => {
    const at = state.doc.line(Math.min(Math.max(line, 1), state.doc.lines));
    const from = Math.min(at.from + Math.max(column - 1, 0), at.to);
    const word = /^[\w.-]+/.exec(state.doc.sliceString(from, at.to))?.[0].length ?? 0;
    return { from, to: Math.max(from + word, from), severity: "error", message };
  });
}

export function CodeEditor({ path, value, problems, readOnly, onChange }: {
  path: string; value: string; problems: readonly Problem[]; readOnly?: boolean; onChange?: (value: string) => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const changed = useRef(onChange);
  changed.current = onChange;
  useEffect(() => {
    if (!place.current) return;
    const editor = new EditorView({
      parent: place.current,
      state: EditorState.create({ doc: value, extensions: [
        look(path), history(), indentOnInput(), highlightActiveLine(), lintGutter(), keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
        EditorState.readOnly.of(readOnly ?? false), EditorView.contentAttributes.of({ "aria-label": path }),
        EditorView.updateListener.of((update) => update.docChanged && changed.current?.(update.state.doc.toString())),
      ] }),
    });
    view.current = editor;
    return () => editor.destroy();
    // A new text is a new editor (its key changes); typing must not make one.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [path, readOnly]);
  useEffect(() => {
    const editor = view.current;
    if (editor) editor.dispatch(setDiagnostics(editor.state, diagnosticsOf(editor.state, problems)));
  }, [problems]);
  return <div ref={place} className="code-editor" />;
}

export function CodeDiff({ path, before, after }: { path: string; before: string; after: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const side = (doc: string, label: string) => ({ doc, extensions: [look(path), EditorState.readOnly.of(true), EditorView.contentAttributes.of({ "aria-label": label })] });
    const merge = new MergeView({ parent: place.current, a: side(before, `${path}, before`), b: side(after, `${path}, after`), collapseUnchanged: { margin: 3, minSize: 8 } });
    return () => merge.destroy();
  }, [path, before, after]);
  return <div ref={place} className="code-editor" />;
}
