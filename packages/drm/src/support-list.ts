/**
 * What a driver supports, as its README says it.
 *
 * @module
 */

import { errnoName } from "./errno.ts";
import type { IoctlRow, IoctlSupport } from "./ioctl-row.ts";

/**
 * The list of a driver's ioctls in Markdown, made from the rows of its table.
 *
 * @param rows - the rows
 * @returns a table of name, first version and support, one ioctl a line
 */
export function supportList(rows: readonly IoctlRow<never>[]): string {
  const lines = rows.map(({ name, since, support }) => `| \`${name}\` | ${since} | ${words(support)} |`);
  return ["| ioctl | since | modelled |", "|---|---|---|", ...lines, ""].join("\n");
}

function words(support: IoctlSupport): string {
  if (support === "full") return "yes";
  if ("without" in support) return `but for ${support.without}`;
  return `no: ${support.note} (${errnoName(support.errno)})`;
}
