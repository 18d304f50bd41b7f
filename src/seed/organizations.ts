import type { SitePlan } from './load-series.ts';

/** What an organization of the seed is, the same in every database: its id and its sites' places never change. */
export interface OrganizationPlan {
  id: string;
  name: string;
  /** Of its people's addresses. */
  domain: string;
  createdAt: string;
  /** The organization of the demo user. */
  isDemo: boolean;
  people: number;
  features: number;
  conversations: number;
  /** How many help articles, of those in help-articles.ts. */
  documents: number;
  sites: readonly SitePlan[];
}

/** The demo organization: large enough to page through. */
export const riverbank: OrganizationPlan = {
  id: '018cd6ce-1800-7000-8000-000000000001',
  name: 'Riverbank',
  domain: 'riverbank.example',
  createdAt: '2024-01-04T23:28:00.000Z',
  isDemo: true,
  people: 40,
  features: 400,
  conversations: 800,
  documents: 12,
  sites: [
    { name: 'Harbour district', region: 'melbourne', baseMw: 182, heating: 0.011, cooling: 0.019, noise: 0.006 },
    { name: 'Nordring substation', region: 'berlin', baseMw: 96, heating: 0.013, cooling: 0.006, noise: 0.008 },
    { name: 'Hudson campus', region: 'newYork', baseMw: 24.5, heating: 0.008, cooling: 0.021, noise: 0.01 },
  ],
};

/** The other organization: the same kinds of data, some equal names, and nothing that the demo user may ever see. */
export const lakeside: OrganizationPlan = {
  id: '018cd6ce-1800-7000-8000-000000000002',
  name: 'Lakeside',
  domain: 'lakeside.example',
  createdAt: '2024-01-04T23:28:00.000Z',
  isDemo: false,
  people: 12,
  features: 60,
  conversations: 80,
  documents: 5,
  sites: [
    { name: 'Harbour district', region: 'melbourne', baseMw: 41, heating: 0.012, cooling: 0.016, noise: 0.009 },
    { name: 'Spree works', region: 'berlin', baseMw: 12.5, heating: 0.01, cooling: 0.005, noise: 0.012 },
    { name: 'Brooklyn depot', region: 'newYork', baseMw: 7.2, heating: 0.009, cooling: 0.018, noise: 0.014 },
  ],
};
