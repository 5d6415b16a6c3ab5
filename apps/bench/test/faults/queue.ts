/** Faults in how binds wait, for drivers with a queue of jobs. */

import { Fence } from "@vmbind/drm";
import { around, type InjectedFault } from "./inject.ts";

/** A driver's queue. */
interface QueueClass<Job> {
  readonly prototype: { push(this: object, job: Job): void; readonly jobs: readonly Job[] };
}

export function queueFaults<Job extends { waits: readonly Fence[] }>(
  { prototype }: QueueClass<Job>,
  drivers: readonly string[],
): readonly InjectedFault[] {
  return [
    {
      name: "jobs do not wait for their fences",
      drivers,
      within: 8000,
      inject() {
        around(prototype, "push", prototype.push, (_self, real, job) => {
          job.waits = [];
          real(job);
        });
      },
    },
    {
      name: "of jobs that wait the last runs first",
      drivers,
      within: 8000,
      inject() {
        around(prototype, "push", prototype.push, (self, real, job) => {
          real(job);
          Reflect.apply(Array.prototype.reverse, (self as typeof prototype).jobs, []);
        });
      },
    },
    {
      name: "a fence wakes nobody",
      drivers,
      within: 8000,
      inject() {
        around(Fence.prototype, "onSignal", Fence.prototype.onSignal, (self, real, waiter) => {
          if (self.signaled) real(waiter);
        });
      },
    },
  ];
}
