/** Light or dark: what the system says until somebody chooses. */

import { useState } from "preact/hooks";

/** Switches between the two. */
export function ThemeButton() {
  const [theme, setTheme] = useState<"light" | "dark">(() =>
    matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
  );
  const other = theme === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      class="theme"
      onClick={() => {
        document.documentElement.dataset["theme"] = other;
        setTheme(other);
        dispatchEvent(new Event("vmbind-theme"));
      }}
    >
      {other === "dark" ? "Dark" : "Light"}
    </button>
  );
}
