// A sparse resource of 100e6 bytes, as in the mailing-list thread: what does it take to create one,
// and what does the GPU find where nothing is bound?
const buf = sparse(100e6);
read(buf.at(0));
read(buf.at(64 * MiB));

// A store must not stop the GPU. Where does it go?
write(buf.at(0x1_0000), 0xabcd);
read(buf.at(0x1_0000));
read(buf.at(64 * MiB));
