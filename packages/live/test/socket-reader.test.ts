/** Reading from clients into one buffer: what is kept of it is the reader's own, and a socket without a handle works, too. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readFrom } from "../src/socket-reader.ts";
import { type Ask, AskReader } from "../src/wire.ts";

function question(value: number, body: string): Buffer {
  const bytes = Buffer.alloc(24 + body.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(value, 20);
  bytes.write(body, 24);
  return bytes;
}

it("hears every client, in whatever pieces questions come, to its end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "vmbind-test-"));
  const heard: string[] = [];
  let open = 0;
  const server = createServer({ pauseOnConnect: true }, (accepted) => {
    open++;
    const reader = new AskReader();
    const hear = ({ value, body }: Ask) => {
      heard.push(`${value} ${Buffer.from(body)}`);
      socket.write("!");
    };
    const socket = readFrom(accepted, (bytes) => reader.take(bytes, hear));
    socket.on("close", () => open--);
  });
  try {
    await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
    const clients = [1, 2].map(() => connect(join(folder, "socket")));
    const answered = (client: Socket) => new Promise((resolve) => client.once("data", resolve));
    const sent = ["abc", "x".repeat(100_000), ""].map((body, i) => question(i, body));
    const [first, second] = clients as [Socket, Socket];
    // One client's half waits while another's whole question goes through the same buffer.
    const bytes = Buffer.concat(sent);
    first.write(bytes.subarray(0, 10));
    second.write(question(9, "between"));
    await answered(second);
    first.write(bytes.subarray(10));
    while (heard.length < 4) await answered(first);
    expect(heard).toEqual(["9 between", "0 abc", `1 ${"x".repeat(100_000)}`, "2 "]);
    for (const client of clients) {
      client.end();
      await new Promise((resolve) => client.once("close", resolve));
    }
    while (open > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

it("hears a socket that has no handle", async () => {
  const heard: string[] = [];
  const accepted = new Socket().pause();
  const socket = readFrom(accepted, (bytes) => heard.push(`${bytes}`));
  expect(socket).toBe(accepted);
  socket.push("hello");
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toEqual(["hello"]);
  socket.destroy();
});
