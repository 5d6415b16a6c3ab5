/**
 * An open file of the node: the model's, and what user-mode drivers ask of the hardware around it.
 *
 * @module
 */

import { IOCTL_GEM_CPU_FINI, IOCTL_GEM_CPU_PREP, IOCTL_NVIF, type NouveauFile } from "@vmbind/nouveau";
import type { LiveCall } from "../../call.ts";
import { type Answer, askModel, type LiveFile } from "../../hardware.ts";
import { type NvifGpu, nvif } from "./nvif.ts";

const NR_NVIF = IOCTL_NVIF & 0xff;
/** Jobs are done when their ioctl returns, so the CPU never waits for an object. */
const NR_OF_CPU: ReadonlySet<number> = new Set([IOCTL_GEM_CPU_PREP & 0xff, IOCTL_GEM_CPU_FINI & 0xff]);

/** An open file. */
export class NouveauLiveFile implements LiveFile {
  /** See {@link LiveFile.model}. */
  readonly model: NouveauFile;
  readonly #gpu: NvifGpu;

  /**
   * @param model - the model's file
   * @param gpu - what NVIF tells
   */
  constructor(model: NouveauFile, gpu: NvifGpu) {
    this.model = model;
    this.#gpu = gpu;
  }

  /** See {@link LiveFile.ioctl}. */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    const nr = request & 0xff;
    if (NR_OF_CPU.has(nr)) return 0;
    if (nr !== NR_NVIF) return askModel(this.model, call, request, arg);
    nvif(this.#gpu, arg);
    return 0;
  }

  /** See {@link LiveFile.close}. */
  close(): void {
    this.model.close();
  }
}
