// The countdown of the installer with the real clock and keyboard of the terminal that it runs on.
import { systemClock } from '../../agent/system/clock.ts';
import { COUNTDOWN_S, countDown } from '../../iso/installer/countdown.ts';
import { keyboard } from '../../iso/installer/terminal.ts';

const nobodyMinds = await countDown(systemClock, keyboard(process.stdin), COUNTDOWN_S, (left) => {
  process.stdout.write(`${left} left\r\n`);
});
process.stdout.write(nobodyMinds ? 'went on\r\n' : 'stopped\r\n');
process.exit(0);
