import { createRowLoader } from '../../schema/loader.ts';
import { listOrganizationsByIds, listUsersByIds } from './queries.ts';

export const organizationById = createRowLoader(listOrganizationsByIds);
export const userById = createRowLoader(listUsersByIds);
