import { afterEach, beforeEach, describe, it, expect } from 'vitest';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../../agent/config/config-error.ts';
import { loadConfig, MAX_CONFIG_BYTES } from '../../../agent/config/load-config.ts';
import { showConfig } from '../../../agent/config/show-config.ts';
import { expectCode } from '../../support/expect-code.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});
const write = (text: string | Buffer): string => {
  const path = join(dir, 'config.yaml');
  writeFileSync(path, text, { mode: 0o644 });
  return path;
};

describe('loadConfig', () => {
  it('says that the configuration file does not exist', () => {
    expectCode(() => loadConfig(join(dir, 'none.yaml')), 'config_not_found');
    expectCode(() => loadConfig(join(write(''), 'below-a-file')), 'config_not_found');
  });

  it('refuses a directory in place of the configuration file', () => {
    mkdirSync(join(dir, 'sub'));
    expectCode(() => loadConfig(join(dir, 'sub')), 'config_unreadable');
  });

  it('refuses a named pipe in place of the configuration file without waiting for a writer', () => {
    const path = join(dir, 'pipe');
    execFileSync('mkfifo', [path]);
    expectCode(() => loadConfig(path), 'config_unreadable');
  });

  it('refuses a device in place of the configuration file', () => {
    expectCode(() => loadConfig('/dev/zero'), 'config_unreadable');
  });

  it('refuses a configuration file over its size limit unread', () => {
    expectCode(() => loadConfig(write('#'.repeat(MAX_CONFIG_BYTES + 1))), 'config_unreadable');
  });

  it('refuses a configuration file that is not UTF-8', () => {
    expectCode(() => loadConfig(write(Buffer.from([0x6d, 0xff, 0xfe]))), 'config_unreadable');
  });

  it('throws one error that lists every problem on its own line with path, line and column', () => {
    const path = write('mode: direct\nlog_level: loud\npoll_interval_s: 0\n');
    let thrown: unknown;
    try {
      loadConfig(path);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    const error = thrown as ConfigError;
    expect(error.code).toBe('config_invalid');
    expect(error.exitCode).toBe(2);
    const lines = error.describe().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(`(at ${path}:2:12)`);
    expect(lines[1]).toContain(`(at ${path}:3:18)`);
  });

  it('warns about a configuration file that other users can change', () => {
    const path = write('mode: direct\n');
    expect(loadConfig(path).warnings).toEqual([]);
    chmodSync(path, 0o666);
    expect(loadConfig(path).warnings).toHaveLength(1);
  });
});

describe('showConfig', () => {
  it('tells for each key its value, whether the file or the default set it, and the line', () => {
    const shown = showConfig(loadConfig(write('# c\nmode: direct\npoll_interval_s: 30\n')));
    expect(shown.find((row) => row.key === 'poll_interval_s')).toEqual({
      key: 'poll_interval_s',
      value: 30,
      origin: 'file',
      line: 3,
    });
    expect(shown.find((row) => row.key === 'order_ttl_s')).toEqual({
      key: 'order_ttl_s',
      value: 900,
      origin: 'default',
      line: null,
    });
  });
});
