// A log that keeps its records for assertions.
import type { Log, LogFields } from '../../../agent/system/ports.ts';
import { redactFields, redactText } from '../../../agent/system/redact.ts';

export interface LogRecord {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly phrase: string;
  readonly fields: LogFields;
}

export interface MemoryLog extends Log {
  /** Of this log and all its children, in order; at debug level unless `setLevel` says otherwise. */
  readonly records: readonly LogRecord[];
  phrases(): string[];
}

const ORDER = ['debug', 'info', 'warn', 'error'] as const;

export function memoryLog(): MemoryLog {
  const records: LogRecord[] = [];
  let lowest = 0;
  const wrap = (bound: LogFields): Log => {
    const emit =
      (level: LogRecord['level']) =>
      (phrase: string, fields: LogFields = {}): void => {
        if (ORDER.indexOf(level) < lowest) return;
        records.push({ level, phrase: redactText(phrase), fields: redactFields({ ...bound, ...fields }) });
      };
    return {
      debug: emit('debug'),
      info: emit('info'),
      warn: emit('warn'),
      error: emit('error'),
      child: (fields) => wrap({ ...bound, ...fields }),
      setLevel: (level) => {
        lowest = ORDER.indexOf(level);
      },
    };
  };
  return { ...wrap({}), records, phrases: () => records.map((r) => r.phrase) };
}
