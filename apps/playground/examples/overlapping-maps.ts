// Three mappings over each other: which parts of the older ones are kept, and what does each driver do to keep them?
const r = range(8 * MiB);
const a = memory(4 * MiB);
const b = memory(4 * MiB);
map(r.at(0), 4 * MiB, a);
map(r.at(2 * MiB), 4 * MiB, b);
map(r.at(MiB), 64 * KiB, b, 128 * KiB);

read(r.at(MiB - 4));
read(r.at(MiB));
read(r.at(MiB + 64 * KiB));
read(r.at(2 * MiB));
read(r.at(6 * MiB));
