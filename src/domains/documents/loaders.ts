import { createRowLoader } from '../../schema/loader.ts';
import { listDocumentsByIds } from './queries.ts';

export const documentById = createRowLoader(listDocumentsByIds);
