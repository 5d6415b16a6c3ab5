/** Light or dark: what the system says until somebody chooses. The style sheet knows the document's `data-theme` alone. */

import { useEffect, useRef, useState } from "preact/hooks";

type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const systemTheme = (): Theme => (system.matches ? "dark" : "light");

/** Everything has other colours now; canvases hear `vmbind-theme`. */
function show(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  dispatchEvent(new Event("vmbind-theme"));
}

show(systemTheme());

/** Switches between the two. */
export function ThemeButton() {
  const [theme, setTheme] = useState(systemTheme);
  const isChosen = useRef(false);
  const turn = (next: Theme): void => {
    show(next);
    setTheme(next);
  };
  useEffect(() => {
    const follow = (): void => {
      if (!isChosen.current) turn(systemTheme());
    };
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  const other = theme === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      class="theme"
      onClick={() => {
        isChosen.current = true;
        turn(other);
      }}
    >
      {other === "dark" ? "Dark" : "Light"}
    </button>
  );
}
