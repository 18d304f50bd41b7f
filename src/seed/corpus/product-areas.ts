/** The parts of the product that features are about; every verb of an area goes with every object. */

export interface ProductArea {
  name: string;
  verbs: readonly string[];
  objects: readonly string[];
  /** Who asks for it. */
  people: readonly string[];
  /** What is bad today. */
  pains: readonly string[];
}

export const productAreas: readonly ProductArea[] = [
  {
    name: 'Billing',
    verbs: ['Export', 'Preview', 'Schedule', 'Archive', 'Translate', 'Validate', 'Filter', 'Share'],
    objects: [
      'invoices',
      'credit notes',
      'payment reminders',
      'usage statements',
      'tax reports',
      'receipts',
      'price plans',
      'refund requests',
    ],
    people: ['Accountants', 'Finance teams', 'Account owners', 'Resellers'],
    pains: [
      'copying figures by hand at the end of the month',
      'asking support for a corrected copy',
      'paying the wrong amount',
      'losing track of what is still open',
    ],
  },
  {
    name: 'Sign-in',
    verbs: ['Audit', 'Revoke', 'Extend', 'Review', 'Limit', 'Explain', 'Simplify', 'Log'],
    objects: [
      'active sessions',
      'single sign-on connections',
      'password resets',
      'device approvals',
      'passkeys',
      'guest invitations',
      'role changes',
      'API tokens',
    ],
    people: ['Administrators', 'Security officers', 'People with a new phone', 'Team leads'],
    pains: [
      'being locked out on a Monday morning',
      'guessing who still has access',
      'keeping a shared password in a drawer',
      'waiting a day for approval',
    ],
  },
  {
    name: 'Forecasts',
    verbs: ['Compare', 'Chart', 'Explain', 'Recalculate', 'Backtest', 'Export', 'Annotate', 'Schedule'],
    objects: [
      'day-ahead forecasts',
      'peak warnings',
      'forecast bands',
      'model versions',
      'holiday effects',
      'weather corrections',
      'site forecasts',
      'error reports',
    ],
    people: ['Grid operators', 'Energy buyers', 'Site managers', 'Data scientists'],
    pains: [
      'buying too much for a public holiday',
      'explaining yesterday’s miss from memory',
      'trusting a number without its uncertainty',
      'recomputing everything in a spreadsheet',
    ],
  },
  {
    name: 'Metering',
    verbs: ['Import', 'Check', 'Repair', 'Merge', 'Map', 'Monitor', 'Replay', 'Tag'],
    objects: [
      'meter readings',
      'missing hours',
      'site hierarchies',
      'virtual meters',
      'calibration factors',
      'reading corrections',
      'gateway outages',
      'solar feed-in',
    ],
    people: ['Metering engineers', 'Field technicians', 'Site managers', 'Network planners'],
    pains: [
      'finding gaps only when the bill is wrong',
      'driving to the site to read a display',
      'mixing up two meters with the same label',
      'typing readings from photographs',
    ],
  },
  {
    name: 'Assistant',
    verbs: ['Improve', 'Rank', 'Review', 'Cite', 'Summarize', 'Rate', 'Route', 'Test'],
    objects: [
      'suggested answers',
      'source documents',
      'handovers to a person',
      'conversation summaries',
      'follow-up questions',
      'answers in other languages',
      'answers about outages',
      'voice transcripts',
    ],
    people: ['Support agents', 'Customers in a hurry', 'Team leads', 'Knowledge managers'],
    pains: [
      'repeating the same explanation',
      'getting an answer that sounds right and is not',
      'being asked for the account number twice',
      'waiting for an expert',
    ],
  },
  {
    name: 'Notifications',
    verbs: ['Mute', 'Group', 'Route', 'Translate', 'Schedule', 'Escalate', 'Preview', 'Log'],
    objects: [
      'outage alerts',
      'weekly digests',
      'threshold alarms',
      'mobile notifications',
      'e-mail summaries',
      'on-call pages',
      'maintenance notices',
      'price alerts',
    ],
    people: ['On-call engineers', 'Site managers', 'Operators on the night shift', 'Account owners'],
    pains: [
      'being woken by an alarm that nobody can act on',
      'missing the one mail that mattered',
      'reading forty messages about one event',
      'forgetting to switch alerts back on',
    ],
  },
  {
    name: 'Reporting',
    verbs: ['Save', 'Share', 'Embed', 'Schedule', 'Compare', 'Print', 'Annotate', 'Export'],
    objects: [
      'dashboards',
      'monthly reports',
      'peak-load tables',
      'carbon figures',
      'cost breakdowns',
      'sentiment trends',
      'deployment statistics',
      'custom charts',
    ],
    people: ['Managers', 'Analysts', 'Sustainability officers', 'Auditors'],
    pains: [
      'rebuilding the same chart every month',
      'sending screenshots around',
      'arguing about whose number is right',
      'missing the deadline of the authority',
    ],
  },
  {
    name: 'Search',
    verbs: ['Rank', 'Highlight', 'Filter', 'Save', 'Speed up', 'Share', 'Group', 'Index'],
    objects: [
      'help articles',
      'conversation history',
      'recent searches',
      'search results',
      'attachments',
      'saved filters',
      'archived sites',
      'release notes',
    ],
    people: ['Support agents', 'New colleagues', 'Power users', 'Auditors'],
    pains: [
      'scrolling through pages of old tickets',
      'knowing that it was written down somewhere',
      'searching for the exact wording',
      'opening ten tabs',
    ],
  },
  {
    name: 'Onboarding',
    verbs: ['Shorten', 'Translate', 'Test', 'Personalize', 'Track', 'Simplify', 'Document', 'Automate'],
    objects: [
      'guided tours',
      'sample projects',
      'site set-up',
      'team invitations',
      'data imports',
      'first-day checklists',
      'training videos',
      'trial extensions',
    ],
    people: ['New customers', 'Sales engineers', 'Administrators', 'Partners'],
    pains: [
      'needing a call to get started',
      'giving up at the import step',
      'asking what the third field means',
      'starting with an empty screen',
    ],
  },
  {
    name: 'Integrations',
    verbs: ['Monitor', 'Retry', 'Secure', 'Document', 'Throttle', 'Version', 'Simulate', 'Migrate'],
    objects: [
      'webhooks',
      'calendar feeds',
      'CRM synchronization',
      'spreadsheet connectors',
      'building-control links',
      'data-lake exports',
      'partner APIs',
      'message queues',
    ],
    people: ['Developers', 'Partners', 'IT departments', 'Building operators'],
    pains: [
      'losing events when the other side is down',
      'reading logs to find out what was sent',
      'breaking an integration by a small change',
      'writing the same adapter again',
    ],
  },
];
