/** Light or dark: what the system says until somebody chooses. The style sheet knows the document's `data-theme` alone. */

import { useEffect, useState } from "preact/hooks";

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
  const [chosen, setChosen] = useState<Theme | null>(null);
  const [followed, setFollowed] = useState(systemTheme);
  useEffect(() => {
    const follow = (): void => setFollowed(systemTheme());
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  const theme = chosen ?? followed;
  useEffect(() => show(theme), [theme]);
  const other = theme === "dark" ? "light" : "dark";
  return (
    <button type="button" class="theme" onClick={() => setChosen(other)}>
      {other === "dark" ? "Dark" : "Light"}
    </button>
  );
}
