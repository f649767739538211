import { describeBook } from '../../lab/describe-book.ts';
import { logging } from '../../lab/scenarios/logging.ts';

describeBook(logging);
