// A plain unmap across sparse and bound ranges, which no Vulkan call sends: does the sparse range show again,
// or is there a hole?
const buf = sparse(6 * MiB);
const a = memory(2 * MiB);
bind(buf.at(2 * MiB), MiB, a);

unmap(buf.at(MiB), 1536 * KiB);
read(buf.at(MiB - 4));
read(buf.at(MiB));
read(buf.at(2 * MiB));
read(buf.at(2560 * KiB));
