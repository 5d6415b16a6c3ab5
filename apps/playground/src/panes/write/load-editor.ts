/** The editor's script, which lies beside the page and is loaded once, when a pane first needs it. */

import type { EditorScript } from "../../editor/api.ts";

let loading: Promise<EditorScript> | null = null;

/**
 * @returns the script
 * @throws Error where it does not lie beside the page
 */
export function loadEditor(): Promise<EditorScript> {
  loading ??= new Promise<EditorScript>((resolve, reject) => {
    globalThis.vmbindEditor = resolve;
    const script = document.createElement("script");
    script.src = "editor.js";
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("editor.js does not lie beside this page"));
    });
    document.head.append(script);
  });
  return loading;
}
