import { createRowLoader } from '../../schema/loader.ts';
import { listUsersByIds } from './queries.ts';

export const userById = createRowLoader(listUsersByIds);
