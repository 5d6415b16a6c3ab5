// 64 KiB of memory in the middle of a sparse resource: a large leaf has to be split,
// and what is around the page has to stay.
const buf = sparse(6 * MiB);
const tile = memory(64 * KiB);
bind(buf.at(2 * MiB), 64 * KiB, tile);

read(buf.at(2 * MiB));
read(buf.at(2 * MiB - 4));
read(buf.at(2 * MiB + 64 * KiB));
write(buf.at(2 * MiB + 64 * KiB), 1);

unbind(buf.at(2 * MiB), 64 * KiB);
read(buf.at(2 * MiB));
