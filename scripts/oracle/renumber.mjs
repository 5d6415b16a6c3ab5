/**
 * Traces in which ids count from 1 in the order in which they were made, over all open files. Recordings of hk were made in
 * front of a stand-in that numbered VMs and objects for the process; a kernel numbers them for each open file, and hk opens
 * two. What is left to compare is everything else.
 */

import { GEM_BIND_OP, GEM_CREATE, VM_BIND, VM_CREATE, VM_DESTROY } from "../../packages/asahi/dist/index.js";
import { GEM_CLOSE } from "../../packages/drm/dist/index.js";

/** Where ids stand, by the ioctl's name: kind, and the member that holds it. `made` is written by the ioctl. */
const IDS = {
  ASAHI_VM_CREATE: { made: ["vm", VM_CREATE.fields.vmId] },
  ASAHI_VM_DESTROY: { used: ["vm", VM_DESTROY.fields.vmId] },
  ASAHI_GEM_CREATE: { made: ["bo", GEM_CREATE.fields.handle], used: ["vm", GEM_CREATE.fields.vmId] },
  ASAHI_VM_BIND: { used: ["vm", VM_BIND.fields.vmId], array: ["bo", GEM_BIND_OP.fields.handle] },
  GEM_CLOSE: { used: ["bo", GEM_CLOSE.fields.handle] },
};

const bytesOf = (hex) => Buffer.from(hex, "hex");
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/**
 * @param lines - of a trace, without its header
 * @returns the same with ids renumbered, and without the numbers of files
 */
export function renumbered(lines) {
  const numbers = new Map();
  let made = 0;
  return lines.map((line) => {
    const record = JSON.parse(line);
    const ids = IDS[record.ioctl];
    const { file = 0, ...rest } = record;
    if (ids === undefined) return JSON.stringify(rest);
    const key = (kind, id) => `${file} ${kind} ${id}`;
    const replace = (view, [kind, field], base = 0) => {
      const id = field.read(view, base);
      if (id !== 0) field.write(view, base, numbers.get(key(kind, id)) ?? id);
    };
    const argIn = bytesOf(rest.arg_in);
    const argOut = bytesOf(rest.arg_out);
    if (ids.used !== undefined) for (const bytes of [argIn, argOut]) replace(viewOf(bytes), ids.used);
    if (ids.made !== undefined) {
      const [kind, field] = ids.made;
      numbers.set(key(kind, field.read(viewOf(argOut), 0)), ++made);
      field.write(viewOf(argOut), 0, made);
    }
    const ptrs = rest.ptrs.map((array) => {
      const data = bytesOf(array.data);
      if (ids.array !== undefined) {
        for (let at = 0; at < data.length; at += array.stride) replace(viewOf(data), ids.array, at);
      }
      return { ...array, data: data.toString("hex") };
    });
    return JSON.stringify({ ...rest, arg_in: argIn.toString("hex"), ptrs, arg_out: argOut.toString("hex") });
  });
}
