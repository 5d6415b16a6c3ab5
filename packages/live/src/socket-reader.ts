/**
 * Reading from a client. A socket of Node's server takes 64 KiB anew for every message and hands it through a stream, a sixth of the
 * time that a short ioctl takes. A socket can also read into one buffer that stays, but `net.createServer` has no option for it;
 * so each socket that it accepts is made again around the same handle.
 *
 * @module
 */

import { Socket } from "node:net";

/** What was read is used up before anything else is read, so one is enough for all sockets. */
const BUFFER: Buffer = Buffer.allocUnsafeSlow(0x1_0000);

/** What is below a socket; every Node has it, its types have not. */
interface WithHandle {
  _handle?: object | null;
}

/**
 * @param accepted - from a server with `pauseOnConnect`
 * @param read - gets what comes, in memory that is used again when it returns
 * @returns the socket to use from now on
 */
export function readFrom(accepted: Socket, read: (bytes: Buffer) => void): Socket {
  const holder: Socket & WithHandle = accepted;
  const handle = holder._handle;
  if (handle == null) return accepted.on("data", read).resume();
  holder._handle = null;
  const callback = (count: number) => {
    read(BUFFER.subarray(0, count));
    return true;
  };
  const options = { handle, readable: true, writable: true, onread: { buffer: BUFFER, callback } };
  return new Socket(options);
}
