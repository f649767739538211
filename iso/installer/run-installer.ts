// One attempt: look, decide, count down, look again, install, switch off. Whoever started it starts it again when it ends.
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { Clock } from '../../agent/system/ports.ts';
import { chooseDisk, isSameDisk, judgeDisks, type Wishes } from './choose-disk.ts';
import { COUNTDOWN_S, countDown, type Keys } from './countdown.ts';
import type { DiskFacts } from './disk-facts.ts';
import {
  countdownScreen,
  doneScreen,
  failedScreen,
  progressScreen,
  refusedScreen,
  stoppedScreen,
  type Branding,
  type Screen,
} from './screens.ts';

export interface InstallerParts {
  readonly clock: Clock;
  readonly keys: Keys;
  readonly branding: Branding;
  readonly wishes: Wishes;
  /** Shown beside the countdown. */
  readonly warnings: readonly string[];
  readonly show: (screen: Screen) => void;
  readonly log: (line: string) => void;
  /** Closes what an earlier attempt left open. */
  readonly release: () => Promise<void>;
  readonly readDisks: () => Promise<readonly DiskFacts[]>;
  readonly steps: readonly { name: string; doing: string; run: (disk: DiskFacts) => Promise<void> }[];
  readonly powerOff: () => Promise<void>;
}

/** How long people have to take the stick out. */
const GOODBYE_S = 20;

/** @throws AgentError where nothing was installed; the screen says why then */
export async function runInstaller(parts: InstallerParts): Promise<'installed' | 'stopped'> {
  let step: string | null = null;
  try {
    await parts.release();
    const found = await findDisk(parts);
    if (found === null) {
      await parts.powerOff();
      return 'stopped';
    }
    const doing = parts.steps.map((one) => one.doing);
    for (const [at, one] of parts.steps.entries()) {
      step = one.doing;
      parts.log(`step=${one.name} disk=${found.name}`);
      parts.show(progressScreen(parts.branding, doing, at, found));
      await one.run(found);
    }
    step = 'Looking at what was installed';
    await expectInstalled(parts, found);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    parts.log(`failed code=${error.code} ${error.message}`);
    if (!isRefusal(error)) {
      parts.show(failedScreen(parts.branding, { ...sayOf(error), sentence: `${error.message}.` }, step));
    }
    throw error;
  }
  parts.log('installed');
  await countDown(parts.clock, parts.keys, GOODBYE_S, (left) => parts.show(doneScreen(parts.branding, left)));
  await parts.powerOff();
  return 'installed';
}

/** The disk that nobody objected to for the whole countdown; null where somebody switches the machine off instead. */
async function findDisk(parts: InstallerParts): Promise<DiskFacts | null> {
  for (;;) {
    const { disk, erases } = await decide(parts);
    const { branding, warnings, clock, keys } = parts;
    parts.log(`countdown disk=${disk.name} erases=${JSON.stringify(erases)}`);
    const nobodyMinds = await countDown(clock, keys, COUNTDOWN_S, (left) =>
      parts.show(countdownScreen(branding, left, disk, erases, warnings)),
    );
    if (nobodyMinds) {
      const now = await decide(parts);
      if (isSameDisk(now.disk, disk) && now.erases === erases) return disk;
      throw new AgentError('installer_disk_changed', 'the disks changed during the countdown');
    }
    parts.log('stopped by a key');
    parts.show(stoppedScreen(branding));
    let key: string;
    do key = (await keys.next(new AbortController().signal)).toLowerCase();
    while (key !== 'i' && key !== 'p');
    if (key === 'p') return null;
  }
}

async function decide(parts: InstallerParts) {
  const disks = await parts.readDisks();
  const decision = chooseDisk(disks, parts.wishes);
  if (decision.kind === 'install') return decision;
  const error = new AgentError(decision.code, decision.sentence);
  parts.show(refusedScreen(parts.branding, sayOf(error), judgeDisks(disks, parts.wishes)));
  throw error;
}

/** Read anew from the disk: that each tool said yes is no proof. */
async function expectInstalled({ readDisks, wishes }: InstallerParts, disk: DiskFacts): Promise<void> {
  const now = (await readDisks()).find((one) => isSameDisk(one, disk));
  const isThere = now?.installs.some(({ isFinished, installId }) => isFinished && installId === wishes.installId);
  if (isThere !== true) {
    throw new AgentError('installer_step_failed', 'the disk does not hold what was written to it', {
      place: disk.path,
    });
  }
}

/** These have a screen of their own. */
const REFUSALS: readonly string[] = [
  'installer_no_disk',
  'installer_several_disks',
  'installer_disk_not_there',
  'installer_already_installed',
];
const isRefusal = ({ code }: AgentError): boolean => REFUSALS.includes(code);

const sayOf = ({ code, message, remedy }: AgentError) => ({ code, sentence: message, remedy });
