// What the demo prints: plain lines, colours only on a terminal.
import type { WriteStream } from 'node:tty';

export interface Report {
  section(title: string): void;
  /** Something that was just seen to hold. */
  seen(sentence: string): void;
  item(mark: string, sentence: string): void;
  refused(code: string, what: string): void;
  /** Names the section in which it happened. */
  failed(error: unknown): void;
  end(): void;
}

export function createReport(out: WriteStream): Report {
  const colours = out.isTTY && process.env['NO_COLOR'] === undefined;
  const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const started = performance.now();
  const counts = { seen: 0, refused: 0 };
  let step = 'start';
  // Whoever stopped reading (`| head`) has seen enough; the demo still ends in good order.
  out.on('error', () => undefined);
  const line = (text: string): void => void out.write(`${text}\n`);
  return {
    section(title) {
      step = title;
      line(`\n${paint(1, title)}`);
    },
    seen(sentence) {
      counts.seen += 1;
      line(`  ${paint(32, 'ok')}  ${sentence}`);
    },
    item: (mark, sentence) => line(`      ${mark.padEnd(14)} ${sentence}`),
    refused(code, what) {
      counts.refused += 1;
      line(`  ${paint(32, 'ok')}  refused with ${code}: an order ${what}`);
    },
    failed(error) {
      const why = error instanceof Error ? error.message : String(error);
      line(`  ${paint(31, 'FAILED')}  in "${step}": ${why}`);
    },
    end() {
      const seconds = ((performance.now() - started) / 1_000).toFixed(1);
      line(`\n${counts.seen} things seen to hold, ${counts.refused} bad orders refused, in ${seconds} s.`);
    },
  };
}
