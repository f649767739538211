// Reads a secret from the terminal without showing it, or whole from standard input; never from an argument or the
// environment, which other users and every child can read.
import { AgentError } from '../../agent/errors/agent-error.ts';

const MAX_SECRET_BYTES = 16_384;
const ENTER = new Set([0x0a, 0x0d, 0x04]);
const INTERRUPT = 0x03;
const ERASE = new Set([0x08, 0x7f]);

/** UTF-8, without the line's end; the caller zeros it. @throws usage */
export async function readSecret(prompt: string): Promise<Buffer> {
  const secret = process.stdin.isTTY ? await fromTerminal(prompt) : await fromPipe();
  if (secret.length === 0) throw new AgentError('usage', 'no secret was given');
  return secret;
}

async function fromPipe(): Promise<Buffer> {
  const held = Buffer.allocUnsafeSlow(MAX_SECRET_BYTES + 2);
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    const fits = chunk.copy(held, length);
    length += fits;
    const isWhole = fits === chunk.length;
    chunk.fill(0);
    if (!isWhole || length > MAX_SECRET_BYTES + 1) {
      held.fill(0);
      throw new AgentError('usage', `a secret has at most ${MAX_SECRET_BYTES} bytes`);
    }
  }
  if (length > 0 && held[length - 1] === 0x0a) length -= 1;
  if (length > 0 && held[length - 1] === 0x0d) length -= 1;
  return held.subarray(0, length);
}

/** Byte by byte in raw mode: a line editor would keep what was typed as strings. */
async function fromTerminal(prompt: string): Promise<Buffer> {
  const { stdin, stderr } = process;
  const held = Buffer.allocUnsafeSlow(MAX_SECRET_BYTES);
  let length = 0;
  // Before anybody is asked: what is typed early is not shown either.
  stdin.setRawMode(true);
  try {
    stderr.write(prompt);
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      for (const byte of chunk) {
        if (ENTER.has(byte)) return held.subarray(0, length);
        if (byte === INTERRUPT) throw new AgentError('usage', 'given up');
        if (ERASE.has(byte)) length = beforeLastCharacter(held, length);
        else if (length < MAX_SECRET_BYTES) held[length++] = byte;
      }
      chunk.fill(0);
    }
    return held.subarray(0, length);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

/** UTF-8: bytes 10xxxxxx continue a character. */
function beforeLastCharacter(held: Buffer, length: number): number {
  let at = length;
  while (at > 0 && ((held[at - 1] ?? 0) & 0xc0) === 0x80) at -= 1;
  return Math.max(0, at - 1);
}
