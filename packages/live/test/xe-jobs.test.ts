import { ECANCELED, EINVAL, ENOENT, EOPNOTSUPP, Fence, UserMemory } from "@vmbind/drm";
import * as xe from "@vmbind/xe";
import { describe, expect, it } from "vitest";
import { exec } from "../src/drivers/xe/exec.ts";
import { Engines, JobQueue } from "../src/drivers/xe/jobs.ts";
import { EXEC } from "../src/drivers/xe/uapi.ts";
import { BASE, BYTES, END, machine, store, waitFor } from "./xe-machine.ts";

const DATA = BASE + 0x8000;
const SYNCS = 0x7000_0000_0000;
const QUEUE = 9;

function withEngines(flags = 0) {
  const m = machine(flags);
  const clock = { time: 0n };
  const notes: string[] = [];
  const engines = new Engines(
    () => clock.time,
    (text) => notes.push(text),
  );
  const queue = new JobQueue(m.vm, 1);
  return { ...m, clock, notes, engines, queue };
}

const job = (address: number, waits: Fence[] = []) => ({
  waits,
  batches: [BigInt(address)],
  fence: new Fence(),
});

describe("exec queues of xe", () => {
  it("run their jobs in order, each behind what it waits for", () => {
    const m = withEngines();
    m.write(BASE, [...store(DATA, 1), END]);
    m.write(BASE + 0x100, [...store(DATA, 2), END]);
    const gate = new Fence();
    const [first, second] = [job(BASE, [gate]), job(BASE + 0x100)];
    m.engines.submit(m.queue, first);
    m.engines.submit(m.queue, second);
    expect(m.engines.progress()).toBe(true);
    expect([first.fence.signaled, second.fence.signaled, m.memory.load32(DATA)]).toEqual([false, false, 0]);
    gate.signal();
    expect(m.engines.progress()).toBe(false);
    expect([first.fence.signaled, second.fence.signaled, m.memory.load32(DATA)]).toEqual([true, true, 2]);
  });

  it("run beside each other: a job may wait for what another queue's job stores", () => {
    const m = withEngines();
    const other = new JobQueue(m.vm, 1);
    m.write(BASE, [...waitFor(DATA, 5), END]);
    m.write(BASE + 0x100, [...store(DATA, 5), END]);
    const waiting = job(BASE);
    m.engines.submit(m.queue, waiting);
    m.engines.progress();
    expect(waiting.fence.signaled).toBe(false);
    m.engines.submit(other, job(BASE + 0x100));
    m.engines.progress();
    expect(waiting.fence.signaled).toBe(true);
  });

  it("are banned by a fault, and everything on them is over with an error", () => {
    const m = withEngines();
    m.write(BASE, [...store(BASE + BYTES, 1), END]);
    const [bad, next] = [job(BASE), job(BASE)];
    m.engines.submit(m.queue, bad);
    m.engines.submit(m.queue, next);
    expect(m.engines.progress()).toBe(false);
    expect([bad.fence.error, next.fence.error, m.queue.banned]).toEqual([-ECANCELED, -ECANCELED, true]);
    expect(m.notes.join()).toContain("not-present");
    expect(m.vm.recordedFaults()).toHaveLength(1);
  });

  it("are banned when a job spins for 5 seconds, unless they are long-running", () => {
    for (const [flags, banned] of [
      [0, true],
      [xe.VM_CREATE_FLAG_LR_MODE, false],
    ] as const) {
      const m = withEngines(flags);
      m.write(BASE, [...waitFor(DATA, 1), END]);
      m.engines.submit(m.queue, job(BASE));
      m.engines.progress();
      m.clock.time = 4_999_999_999n;
      m.engines.progress();
      expect(m.queue.banned).toBe(false);
      m.clock.time = 5_000_000_000n;
      m.engines.progress();
      expect(m.queue.banned).toBe(banned);
    }
  });

  it("end with their VM", () => {
    const m = withEngines();
    m.write(BASE, [...waitFor(DATA, 1), END]);
    const running = job(BASE);
    m.engines.submit(m.queue, running);
    m.engines.progress();
    m.vm.close();
    m.engines.progress();
    expect(running.fence.error).toBe(-ECANCELED);
  });
});

describe("EXEC", () => {
  const sync = (fields: Partial<xe.Sync>) => xe.SYNC.encode(fields);

  function submit(
    m: ReturnType<typeof withEngines>,
    args: Partial<Parameters<typeof EXEC.encode>[0]>,
    syncs: Uint8Array[] = [],
  ) {
    const user = new UserMemory();
    if (syncs.length > 0) user.place(SYNCS, Uint8Array.from(Buffer.concat(syncs)));
    const arg = EXEC.encode({
      execQueueId: QUEUE,
      address: BASE,
      numBatchBuffer: 1,
      numSyncs: syncs.length,
      syncs: SYNCS,
      ...args,
    });
    exec(
      { model: m.file, queues: new Map([[QUEUE, m.queue]]), engines: m.engines },
      new DataView(arg.buffer),
      user,
    );
    m.engines.progress();
  }
  const errno = (run: () => void): unknown => {
    try {
      run();
    } catch (error) {
      return (error as { errno?: number }).errno;
    }
    return 0;
  };

  it("signals a syncobj, a point of a timeline and a word of the VM when its job is over", () => {
    const m = withEngines();
    m.write(BASE, [...waitFor(DATA, 1), END]);
    const [binary, timeline] = [m.file.syncobjs.create(), m.file.syncobjs.create()];
    submit(m, {}, [
      sync({ type: xe.SYNC_TYPE_SYNCOBJ, flags: xe.SYNC_FLAG_SIGNAL, addr: binary }),
      sync({
        type: xe.SYNC_TYPE_TIMELINE_SYNCOBJ,
        flags: xe.SYNC_FLAG_SIGNAL,
        addr: timeline,
        timelineValue: 4,
      }),
      sync({ type: xe.SYNC_TYPE_USER_FENCE, flags: xe.SYNC_FLAG_SIGNAL, addr: DATA + 8, timelineValue: 77 }),
    ]);
    const signaled = () => [
      m.file.syncobjs.get(binary)?.find(0)?.signaled,
      m.file.syncobjs.get(timeline)?.find(4)?.signaled,
      m.memory.load32(DATA + 8),
    ];
    expect(signaled()).toEqual([false, false, 0]);
    m.memory.store32(DATA, 1);
    m.engines.progress();
    expect(signaled()).toEqual([true, true, 77]);
  });

  it("without a batch signals when the last job of the queue is over", () => {
    const m = withEngines();
    m.write(BASE, [...waitFor(DATA, 1), END]);
    const out = m.file.syncobjs.create();
    submit(m, {});
    submit(m, { numBatchBuffer: 0, address: 0 }, [
      sync({ type: xe.SYNC_TYPE_SYNCOBJ, flags: xe.SYNC_FLAG_SIGNAL, addr: out }),
    ]);
    expect(m.file.syncobjs.get(out)?.find(0)?.signaled).toBe(false);
    m.memory.store32(DATA, 1);
    m.engines.progress();
    expect(m.file.syncobjs.get(out)?.find(0)?.signaled).toBe(true);
  });

  it("refuses what the driver refuses, and queues nothing then", () => {
    const m = withEngines();
    const empty = m.file.syncobjs.create();
    const wait = (fields: Partial<xe.Sync>) => () => submit(m, {}, [sync(fields)]);
    expect(errno(() => submit(m, { execQueueId: 1 }))).toBe(ENOENT);
    expect(errno(() => submit(m, { numBatchBuffer: 2 }))).toBe(EINVAL);
    expect(errno(() => submit(m, { extensions: 1 }))).toBe(EINVAL);
    expect(errno(() => submit(m, { pad: [0, 1, 0] }))).toBe(EINVAL);
    expect(errno(() => submit(m, { numSyncs: 1025 }))).toBe(EINVAL);
    expect(errno(wait({ type: xe.SYNC_TYPE_SYNCOBJ, addr: 99 }))).toBe(ENOENT);
    expect(errno(wait({ type: xe.SYNC_TYPE_SYNCOBJ, addr: empty }))).toBe(EINVAL);
    expect(errno(wait({ type: xe.SYNC_TYPE_TIMELINE_SYNCOBJ, addr: empty }))).toBe(EINVAL);
    expect(errno(wait({ type: xe.SYNC_TYPE_USER_FENCE, addr: DATA }))).toBe(EOPNOTSUPP);
    expect(errno(wait({ type: 3 }))).toBe(EINVAL);
    // As VM_BIND: what is wrong with the struct comes before the handle is looked up.
    expect(errno(wait({ type: xe.SYNC_TYPE_TIMELINE_SYNCOBJ, addr: 99 }))).toBe(EINVAL);
    expect(errno(wait({ type: xe.SYNC_TYPE_SYNCOBJ, addr: 2 ** 32 + empty }))).toBe(EINVAL);
    expect(m.queue.jobs).toHaveLength(0);
    m.engines.ban(m.queue);
    expect(errno(() => submit(m, {}))).toBe(ECANCELED);
  });

  it("in a long-running VM signals words, not syncobjs", () => {
    const m = withEngines(xe.VM_CREATE_FLAG_LR_MODE);
    const out = m.file.syncobjs.create(true);
    const signal = (fields: Partial<xe.Sync>) => () =>
      submit(m, {}, [sync({ flags: xe.SYNC_FLAG_SIGNAL, ...fields })]);
    expect(errno(signal({ type: xe.SYNC_TYPE_SYNCOBJ, addr: out }))).toBe(EOPNOTSUPP);
    m.write(BASE, [END]);
    expect(errno(signal({ type: xe.SYNC_TYPE_USER_FENCE, addr: DATA, timelineValue: 3 }))).toBe(0);
    expect(m.memory.load32(DATA)).toBe(3);
  });
});
