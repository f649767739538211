// The console that the installer draws on, and its keyboard.
import type { ReadStream, WriteStream } from 'node:tty';
import type { Keys } from './countdown.ts';
import type { Screen, Tone } from './screens.ts';

const TONES: Readonly<Record<Tone, string>> = { plain: '0', title: '1', good: '1;32', bad: '1;31', wait: '1;33' };
const HIDE_CURSOR_AND_CLEAR = '\x1b[?25l\x1b[2J';
const HOME = '\x1b[H';
const TO_LINE_END = '\x1b[K';

/** The bytes that put a screen where another one stood; nothing scrolls. */
export const painted = (screen: Screen): string =>
  HOME + screen.map(({ text, tone }) => `\x1b[${TONES[tone]}m${text}\x1b[0m${TO_LINE_END}`).join('\r\n');

export function clearScreen(output: Pick<WriteStream, 'write'>): void {
  output.write(HIDE_CURSOR_AND_CLEAR);
}

/** Keys one by one, without Enter; of a pasted or escape sequence the first character. Without a terminal none ever comes. */
export function keyboard(input: ReadStream): Keys {
  if (input.isTTY) input.setRawMode(true);
  return {
    next: (signal) =>
      new Promise((resolve, reject) => {
        if (!input.isTTY) return;
        const stop = (): void => {
          input.off('data', onKey);
          input.pause();
        };
        const onKey = (data: Buffer): void => {
          stop();
          resolve(data.toString('latin1').slice(0, 1));
        };
        const onAbort = (): void => {
          stop();
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        input.on('data', onKey);
        input.resume();
      }),
  };
}
