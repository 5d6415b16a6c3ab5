/** What asahi does not do with objects of other files and with syncobjs. What it does is in `packages/driver-laws`. */
import { DataPages } from "@vmbind/mmu";
import { expect, it } from "vitest";
import { AsahiDevice } from "../src/index.ts";

it("an object of another device is refused", () => {
  const backing = new DataPages();
  const [a, b] = [
    new AsahiDevice({ memory: { backing } }).open(),
    new AsahiDevice({ memory: { backing } }).open(),
  ];
  const dmaBuf = a.exportBo(a.gemCreate({ size: 1, flags: 0, vmId: 0 }));
  expect(() => b.importBo(dmaBuf)).toThrow("EINVAL: import: objects of other devices are not modelled");
});

it("syncobjs are there, though VM_BIND takes none", () => {
  const { syncobjs } = new AsahiDevice({ adoptSyncobjs: true }).open();
  expect([syncobjs.create(), syncobjs.get(1)?.find(0), syncobjs.get(9)?.find(7)?.signaled]).toEqual([
    1,
    null,
    true,
  ]);
});
