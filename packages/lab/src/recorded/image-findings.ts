/**
 * What the same image costs with each driver, and who pays: the application binds the same tiles everywhere, but a tile is one
 * range of addresses with some drivers and many with others. User space builds the operations, the kernel copies and carries
 * them out, the GPU loses its TLB.
 *
 * @module
 */

import type { LabFinding } from "../conclusions.ts";
import { byStrategy, say } from "../sentences.ts";
import type { TraceRow } from "./recorded.ts";

/** Workloads on images, with what the application does in each. */
const IMAGES: readonly [workload: string, does: string][] = [
  ["image-window", "A window of 64 tiles that wanders over an image"],
  ["image-array-mips", "Every mip of 16 layers of an image, bound and unbound"],
];

/**
 * @param rows - recorded workloads under their strategies
 * @returns one sentence for each image that at least two drivers were recorded with
 */
export function imageFindings(rows: readonly TraceRow[]): LabFinding[] {
  return IMAGES.flatMap(([workload, does]) => {
    const sent = rows.filter((row) => row.workload === workload && row.recorded && row.supported);
    if (sent.length < 2) return [];
    const figure = (name: string) => byStrategy(sent, ({ metrics }) => metrics[name] ?? 0);
    return [
      say(
        `operations-of-${workload}`,
        `${does}, takes this many operations: `,
        figure("bindOps"),
        ". User space builds and the kernel copies in this many bytes for it: ",
        figure("payloadBytes"),
        "; the kernel writes this many leaf entries: ",
        figure("pteWrites"),
        "; and the GPU's TLB is invalidated this often: ",
        figure("tlbInvalidations"),
        ".",
      ),
    ];
  });
}
