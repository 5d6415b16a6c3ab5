/** The bits of a page-table entry by name, as every pane shows them. */

import { hex } from "@vmbind/drm";
import type { DescribedField } from "@vmbind/mmu";

/** A table of the fields. */
export function EntryFields({ fields }: { fields: readonly DescribedField[] }) {
  return (
    <div class="scroll">
      <table class="fields">
        <thead>
          <tr>
            <th scope="col">bits</th>
            <th scope="col">field</th>
            <th scope="col">value</th>
            <th scope="col">means</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(({ name, top, bottom, value, means }) => (
            <tr key={top} class={value === 0 ? "zero" : undefined}>
              <td class="mono">{top === bottom ? top : `${top}:${bottom}`}</td>
              <td>{name}</td>
              <td class="mono">{top === bottom ? value : hex(value)}</td>
              <td>{means}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
