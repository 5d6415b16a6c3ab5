// The proposal "repeat": a window of an object, mapped over and over. Drivers that have no operation for it
// need a mapping for each window; a large window costs fewer of them.
const r = range(8 * MiB);
const small = memory(16 * KiB);
const large = memory(2 * MiB);
repeat(r.at(0), 2 * MiB, small, 16 * KiB);
repeat(r.at(4 * MiB), 4 * MiB, large, 2 * MiB);

// Every window is the same memory.
write(r.at(0x1000), 7);
read(r.at(0x5000));

// A cut through the windows.
unmap(r.at(64 * KiB), 48 * KiB);
read(r.at(0x1_b000));
read(r.at(0x1_d000));
