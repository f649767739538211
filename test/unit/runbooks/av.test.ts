import { describeBook } from '../../lab/describe-book.ts';
import { av } from '../../lab/scenarios/av.ts';

describeBook(av);
