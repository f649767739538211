// A Node stream as an Output: a reader that goes away (`| head`) ends the output and is no error.
import type { Output } from './deps.ts';

export function terminalOutput(stream: NodeJS.WriteStream): Output {
  let closed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    closed = true;
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
  return {
    isTTY: stream.isTTY === true,
    size: () => ({ columns: stream.columns, rows: stream.rows }),
    write: (text) => {
      if (!closed) stream.write(text);
    },
  };
}
