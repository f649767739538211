// A page in headless Chromium, steered over its DevTools protocol: how wide it is, what it asked the network for, how it looks.
// For tests only.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { until } from '../../tools/demo/process.ts';

export const CHROMIUM = 'chromium';

/** Why it cannot run here, or null. */
export const chromiumMissing = (): string | null =>
  spawnSync(CHROMIUM, ['--version']).status === 0 ? null : `${CHROMIUM} not found`;

export interface Look {
  /** CSS pixels. */
  readonly width: number;
  readonly media: 'screen' | 'print';
}

export interface Seen {
  /** Width of what is laid out; more than the window: it has to be scrolled sideways. */
  readonly contentWidth: number;
  /** Elements that reach beyond the window, as `tag.class: text`. */
  readonly tooWide: readonly string[];
  /** Text of the page as it is shown. */
  readonly text: string;
  /** Every address that was asked for, the page's own included. */
  readonly requests: readonly string[];
  readonly png: Buffer;
}

export interface Browser {
  look(file: string, look: Look): Promise<Seen>;
  pdf(file: string): Promise<Buffer>;
  close(): Promise<void>;
}

const WIDE = `[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 &&
  getComputedStyle(one).position !== 'absolute').slice(0, 5).map((one) => one.tagName + '.' + one.className + ': ' + one.textContent.slice(0, 60))`;

/** Starts the browser with a profile of its own. */
export async function startChromium(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  // As root it refuses to run with its sandbox; it shows only a file that this test wrote.
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--disable-dev-shm-usage'];
  const child = spawn(CHROMIUM, [...flags, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: 'ignore',
  });
  const portFile = join(profile, 'DevToolsActivePort');
  const ready = () => existsSync(portFile) && readFileSync(portFile, 'utf8').includes('\n');
  await until('Chromium listens', () => (ready() ? true : null), 60_000);
  const [port = ''] = readFileSync(portFile, 'utf8').split('\n');

  const open = async (file: string, { width, media }: Look) => {
    const page = (await (await fetch(`http://127.0.0.1:${port}/json/new?about:blank`, { method: 'PUT' })).json()) as {
      webSocketDebuggerUrl: string;
    };
    const tab = await connect(page.webSocketDebuggerUrl);
    await tab.call('Page.enable');
    await tab.call('Network.enable');
    await tab.call('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: false });
    await tab.call('Emulation.setEmulatedMedia', { media });
    const loaded = tab.event('Page.loadEventFired');
    await tab.call('Page.navigate', { url: pathToFileURL(file).href });
    await loaded;
    return tab;
  };

  return {
    async look(file, look) {
      const tab = await open(file, look);
      const value = async <T>(expression: string): Promise<T> => {
        const { result } = await tab.call<{ result: { value: T } }>('Runtime.evaluate', {
          expression,
          returnByValue: true,
        });
        return result.value;
      };
      const seen = {
        contentWidth: await value<number>('document.documentElement.scrollWidth'),
        tooWide: await value<string[]>(WIDE),
        text: await value<string>('document.body.innerText'),
      };
      const shot = await tab.call<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: true });
      const requests = tab.requests();
      tab.close();
      return { ...seen, requests, png: Buffer.from(shot.data, 'base64') };
    },
    async pdf(file) {
      const tab = await open(file, { width: 794, media: 'print' });
      const { data } = await tab.call<{ data: string }>('Page.printToPDF', { preferCSSPageSize: true });
      tab.close();
      return Buffer.from(data, 'base64');
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface Tab {
  call<T>(method: string, params?: object): Promise<T>;
  event(method: string): Promise<void>;
  requests(): string[];
  close(): void;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
  readonly params?: { readonly request?: { readonly url: string } };
}

async function connect(url: string): Promise<Tab> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('Chromium does not answer')));
  });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  const events = new Map<string, () => void>();
  const requests: string[] = [];
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.method === 'Network.requestWillBeSent') requests.push(message.params?.request?.url ?? '');
    if (message.method !== undefined) events.get(message.method)?.();
    const call = message.id === undefined ? undefined : waiting.get(message.id);
    if (message.error !== undefined) call?.reject(new Error(message.error.message));
    else call?.resolve(message.result as never);
  });
  let id = 0;
  return {
    call: (method, params = {}) =>
      new Promise((resolve, reject) => {
        id += 1;
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    event: (method) => new Promise((resolve) => events.set(method, resolve)),
    requests: () => requests,
    close: () => socket.close(),
  };
}
