// What drivers refuse, and why: every reason names the member and the rule.
const r = range(4 * MiB);
const a = memory(64 * KiB);

map(0, 64 * KiB, a); // address 0: some reserve it
map(r.at(0), 4 * KiB, a); // a page of 4 KiB: some have 16
map(r.at(0), 64 * KiB, a, 16 * MiB); // behind the end of the object
map(2 ** 47, 64 * KiB, a); // the upper half of 48 bits
map(2 ** 63, 64 * KiB, a);

// One driver's own operations: the second is refused. Is the first one done?
const good = { op: "map", boHandle: a, va: r.at(MiB), size: 64 * KiB };
vmBind("panthor", [good, { ...good, va: r.at(2 * MiB), boHandle: 77 }]);
vmBind("xe", [
  { op: "map", obj: a, addr: r.at(MiB), range: 64 * KiB },
  { op: "map", obj: 77, addr: r.at(2 * MiB), range: 64 * KiB },
]);
read(r.at(MiB));
