/** The editor as a part of the pane. */

import { useEffect, useRef } from "preact/hooks";
import type { Editor, EditorMark } from "../../editor/api.ts";
import { createEditor } from "../../editor/editor.ts";
import type { Offer } from "../../engine/programs/list-strategies.ts";

/** What it is given. */
export interface TextEditorProps {
  readonly label: string;
  readonly text: string;
  readonly offer: Offer | null;
  readonly isProgram: boolean;
  readonly marks: readonly EditorMark[];
  /** Where the caret is to go; a fresh object each time. */
  readonly goTo: { readonly line: number } | null;
  changed(text: string): void;
  moved(line: number): void;
}

/** See {@link TextEditorProps}. */
export function TextEditor(props: TextEditorProps) {
  const { label, text, isProgram, marks, goTo } = props;
  const holder = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const last = useRef(props);
  last.current = props;
  /** What was typed and has not come back as the text to show: keys are faster than the page. */
  const typed = useRef<string[]>([]);
  useEffect(() => {
    if (holder.current === null) return;
    const made = createEditor(holder.current, {
      label,
      text: last.current.text,
      offer: () => last.current.offer,
      isProgram,
      changed: (next) => {
        typed.current.push(next);
        last.current.changed(next);
      },
      moved: (line) => last.current.moved(line),
    });
    editor.current = made;
    made.setMarks(last.current.marks);
    return () => {
      editor.current = null;
      made.destroy();
    };
  }, [label, isProgram]);
  useEffect(() => {
    const at = typed.current.lastIndexOf(text);
    if (at < 0) editor.current?.setText(text);
    typed.current = typed.current.slice(at + 1);
  }, [text]);
  useEffect(() => editor.current?.setMarks(marks), [marks]);
  useEffect(() => {
    if (goTo !== null) editor.current?.goTo(goTo.line);
  }, [goTo]);
  return <div class="editor" ref={holder} />;
}
