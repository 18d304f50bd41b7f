import { createRowLoader } from '../../schema/loader.ts';
import { listDocumentsByIds } from './queries/document.ts';

export const documentById = createRowLoader(listDocumentsByIds);
