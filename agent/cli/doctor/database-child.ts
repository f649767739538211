// A process of its own for looking at the database: SQLite's check of a large or sick file cannot be interrupted, and must
// not hold the doctor. Arguments: `identity` or `check`, and the state directory. Prints one JSON object.
import { isAgentError } from '../../errors/agent-error.ts';
import { checkStore, lookAtStore } from '../../store/look-at-store.ts';

const [what = '', dir = ''] = process.argv.slice(2);
let said: object;
try {
  said = what === 'check' ? { check: checkStore(dir) } : { look: lookAtStore(dir) };
} catch (error) {
  said = isAgentError(error)
    ? { error: { code: error.code, sentence: error.message, remedy: error.remedy } }
    : { error: { code: 'internal', sentence: String(error), remedy: 'report it' } };
}
process.stdout.write(JSON.stringify(said));
