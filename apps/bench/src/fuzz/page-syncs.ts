/**
 * Syncobjs as the naive model has them: lists of points, each of which happens when something ends. Nothing is forgotten and nothing
 * is linked; the rules are those of `drm_syncobj.c` (Linux 7.3-rc7), told by the list.
 *
 * @module
 */

/** Something that happens once. */
export interface Sign {
  /** `maybe` where only the driver knows. */
  done: "no" | "maybe" | "yes";
}

/** A point of a syncobj; 0 stands for the payload as a whole. */
export interface SyncPoint {
  /** Syncobj handle. */
  readonly syncobj: number;
  /** Point of the timeline, 0 for none; NaN, which is a number that a double cannot hold, is above all others. */
  readonly point: number;
}

/** What was put into a syncobj. */
interface Entry {
  /** 0 for a plain fence. */
  readonly point: number;
  /** The point before in the same order of points, 0 for none. */
  readonly before: number;
  /** Grows where points begin anew. */
  readonly order: number;
  readonly sign: Sign;
}

/** A syncobj, of which all that was not put in here has happened. */
export class PageSyncobj {
  /** Oldest first. */
  #entries: readonly Entry[] = [];

  /**
   * @param point - 0 replaces what is there; one that is not above the last counts as the last, and begins a new order
   * @param sign - what it stands for
   */
  attach(point: number, sign: Sign): void {
    const last = this.#entries.at(-1);
    if (point === 0) {
      this.#entries = [{ point: 0, before: 0, order: 0, sign }];
      return;
    }
    const wanted = finite(point);
    const chained = last !== undefined && last.point > 0 ? last : null;
    const follows = chained !== null && wanted > chained.point;
    const entry = {
      point: chained === null || follows ? wanted : chained.point,
      before: follows ? chained.point : 0,
      order: (last?.order ?? 0) + (follows ? 0 : 1),
      sign,
    };
    this.#entries = [...this.#entries, entry];
  }

  /**
   * @param point - 0 for the newest
   * @returns all that a wait for it waits for
   */
  wait(point: number): readonly Sign[] {
    const entries = this.#entries;
    const wanted = finite(point);
    const newest = entries.at(-1);
    if (newest === undefined || (wanted > 0 && newest.point < wanted)) return [];
    let i = entries.length - 1;
    // The first of the newest order that reaches the point.
    while (wanted > 0 && entries[i]?.order === newest.order && (entries[i] as Entry).before >= wanted) i--;
    return entries.slice(0, i + 1).map(({ sign }) => sign);
  }
}

function finite(point: number): number {
  return Number.isNaN(point) ? Number.POSITIVE_INFINITY : point;
}

/** The syncobjs of a file, by handle. */
export class PageSyncobjs {
  readonly #syncobjs = new Map<number, PageSyncobj>();

  /** @param handle - of any syncobj */
  get(handle: number): PageSyncobj {
    const known = this.#syncobjs.get(handle);
    if (known !== undefined) return known;
    const made = new PageSyncobj();
    this.#syncobjs.set(handle, made);
    return made;
  }

  /**
   * What the jobs of one call wait for. A wait that names exactly what an earlier job of the call signals waits for that job;
   * what the call signals is put into the syncobjs behind all waits.
   *
   * @param jobs - in order; `end` is the end of each
   * @returns what each waits for
   */
  resolve(
    jobs: readonly {
      readonly waits: readonly SyncPoint[];
      readonly signals: readonly SyncPoint[];
      readonly end: Sign;
    }[],
  ): (readonly Sign[])[] {
    const named = new Map<string, SyncPoint & { sign: Sign | null }>();
    const key = ({ syncobj, point }: SyncPoint): string => `${syncobj}@${point}`;
    const waits = jobs.map((job) => {
      const found = job.waits.flatMap((wait) => {
        const own = named.get(key(wait))?.sign;
        return own ? [own] : this.get(wait.syncobj).wait(wait.point);
      });
      for (const signal of job.signals) {
        const known = named.get(key(signal));
        if (known === undefined) named.set(key(signal), { ...signal, sign: job.end });
        else known.sign = job.end;
      }
      return found;
    });
    for (const { syncobj, point, sign } of named.values()) {
      if (sign !== null) this.get(syncobj).attach(point, sign);
    }
    return waits;
  }
}
