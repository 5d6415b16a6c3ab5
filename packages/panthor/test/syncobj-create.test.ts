import { PanthorDevice } from "@vmbind/panthor";
import { expect, it } from "vitest";

it("a file makes syncobjs by the name that programs know, and none once it is closed", () => {
  const file = new PanthorDevice().open();
  const handle = file.createSyncobj();
  expect(file.syncobjs.get(handle)?.find(0)).toBeNull();
  file.close();
  expect(() => file.createSyncobj()).toThrow("syncobj_create");
});
