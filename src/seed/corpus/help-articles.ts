/** Articles of the help center, as organizations upload them: what the assistant answers from and keyword search finds. */
export interface HelpArticle {
  title: string;
  paragraphs: readonly string[];
}

export const helpArticles: readonly HelpArticle[] = [
  {
    title: 'How to read your invoice',
    paragraphs: [
      'Each invoice lists every site on its own. For a site you find the energy used in the period, the tariff it was billed with, the grid fee of the network operator, and taxes. The grand total at the end is what will be debited, less any credit note that was offset.',
      'A reading marked with an E was estimated, because the meter had not sent its data when the invoice was made. As soon as the real reading arrives, the difference is corrected on the next invoice. If an estimate is far off, ask support for a correction and a new invoice is issued within two working days.',
      'The item "grid fee adjustment" appears once a year. It passes on the network operator’s yearly settlement without a margin and can be a charge or a credit.',
      'Invoices are sent by e-mail on the third working day of the month and stay available under Billing, Documents for ten years. There you can filter by year and site, download a PDF, or export all items as a spreadsheet for your accountant.',
      'To change the billing address, the VAT number or the payment period, open Billing, Settings. The change takes effect with the next invoice; an invoice that was issued already can be issued again with the new address on request.',
    ],
  },
  {
    title: 'Refunds and credit notes',
    paragraphs: [
      'A refund is paid when you were charged too much, when you return equipment, or when an outage broke the availability that your contract promises. Every refund starts with a credit note, which you find under Billing, Documents like an invoice.',
      'By default a credit note is offset against the next invoice. If you prefer the money on your bank account, choose "pay out" beside the credit note. The payment run starts every working day at 18:00 and a transfer takes one to three working days.',
      'A transfer can be rejected when the account number has changed or the name does not match. You then receive a notice by e-mail, and the refund waits until you enter another account. No refund expires.',
      'Compensation for outages is computed at the end of each month from the measured availability. You do not have to claim it: when availability was below 99.9 percent, the credit note is made automatically and names the incident it belongs to.',
      'If you think that a refund is missing, send support the number of the credit note or of the invoice. With either of them it takes a few minutes to find out where the money is.',
    ],
  },
  {
    title: 'Signing in, passkeys and lost devices',
    paragraphs: [
      'You sign in with your e-mail address and a passkey, or with a password and a second factor. Passkeys are safer and faster: they use the fingerprint, the face or the PIN of your device and cannot be given away to a false page.',
      'Add a passkey under Settings, Security on every device you use, up to five. When you have a new phone, sign in with another device first, remove the old phone from the list and add the new one.',
      'Codes of an authenticator app depend on the clock of the phone. If a code is refused as expired, set the clock to automatic and wait for the next code.',
      'After ten failed attempts the account is locked for 15 minutes, so that nobody can guess your password. An administrator of your organization can unlock it at once, and so can support after a check of your identity.',
      'The mail for a password reset is valid for 30 minutes. If it does not arrive, look into the spam folder; some mail servers put it into quarantine until an administrator allows our domain.',
      'Sessions end after 12 hours without activity. Under Settings, Security you see all active sessions with their device and place, and can end each of them or all at once.',
    ],
  },
  {
    title: 'Single sign-on for your organization',
    paragraphs: [
      'With single sign-on your colleagues use the account of your own identity provider. It is part of the business plan and works with every provider that speaks OpenID Connect or SAML 2.0.',
      'To set it up you need to be an administrator. Open Settings, Security, Single sign-on, and enter the metadata address of the identity provider. We then show the redirect address and the entity id which the provider asks for. Try the connection with the test button before you switch it on.',
      'Roles can come from groups of the identity provider: map each group to viewer, editor or administrator. Somebody who is in no mapped group becomes a guest with read access to nothing until an administrator invites them to a project.',
      'When single sign-on is required, passwords and passkeys no longer work for addresses of your domain. Keep one emergency administrator with a passkey that is exempt, in case the identity provider is down.',
      'People who leave the company lose access as soon as they are removed from the identity provider, at the latest when their session ends. With SCIM provisioning they are also deactivated here within minutes.',
    ],
  },
  {
    title: 'Importing meter readings',
    paragraphs: [
      'Readings come from a gateway, through the API, or from a file. A file needs two columns, the time and the load in megawatts, with a heading line. Times may be in UTC or in the local time of the site; the import asks which, and shows the first rows as it understands them before anything is stored.',
      'Numbers may have a point or a comma as the decimal separator, but the same one in the whole file. The most frequent error is a thousands separator, which the import refuses with the number of the line.',
      'Importing a time that has a reading already replaces the reading. You can therefore repeat an interrupted import without deleting anything, and correct a mistake by sending the right values again. A call of the API takes up to 10,000 readings and stores either all of them or none.',
      'Take care at the clock change: in local time the hour from two to three happens twice in autumn and is missing in spring. Files in UTC avoid the question.',
      'Gaps of up to six hours are bridged by a straight line when a forecast needs them; for longer gaps the same hours of the week before are used. The readings themselves are never changed.',
    ],
  },
  {
    title: 'Understanding forecasts and their bands',
    paragraphs: [
      'A forecast gives three values for every hour. The middle line is the median: the load is as likely to be above it as below. The band around it reaches from the 10 percent to the 90 percent quantile, so that eight hours out of ten are expected inside.',
      'Forecasts start from the readings of the last week, the calendar, and the holidays of the site, and reach up to seven days ahead. The first day is the most accurate, with a typical error of three percent; each further day is built on the one before, and its band is wider.',
      'The model has never seen your site before. It recognizes the pattern of the last week and the effect of weekends, seasons and holidays. An event that has no trace in the readings, such as an unannounced extra shift, can only be followed once it has begun.',
      'Enter local holidays in the site’s settings: a missing public holiday is the most frequent cause of a bad day. For public holidays of a region we offer a list.',
      'Under Analytics, Forecast accuracy you can compare every forecast with the readings that came, for each day and model version: the mean absolute error, the error in percent, and the share of hours inside the band.',
    ],
  },
  {
    title: 'Peak warnings and load management',
    paragraphs: [
      'The price of a grid connection often depends on the highest load of the year. A peak warning tells you in time when the forecast comes near the limit you set, so that machines can be started later or a battery can take over.',
      'Set the limit under Sites, Limits, in megawatts, and how early you want to be warned. A warning is sent when the upper end of the forecast’s band crosses the limit, that is, when the chance of a peak is more than one in ten. With a later and stricter warning you get fewer false alarms but less time.',
      'Warnings reach you by e-mail, as a notification on the phone, or by a webhook that your building control can act on by itself. The webhook carries the site, the hours concerned and the three forecast values.',
      'After a warned day the report shows what the load would probably have been. Customers who act on the warnings lower their yearly peak by eight percent on average.',
      'If warnings come too late, check first whether readings arrive in time: a gateway that sends only once an hour cannot warn about the hour that has just begun.',
    ],
  },
  {
    title: 'When the dashboard does not load',
    paragraphs: [
      'First look at the status page. It is hosted outside our data centers and names every incident with its start, the parts concerned and the latest news. You can subscribe to it by e-mail or by webhook.',
      'If there is no incident, load the page again without the cache. A browser extension that blocks scripts is the most frequent cause of an empty page; try a private window to find out.',
      'If only one site is missing, the gateway of the site has probably lost its connection. The site’s page shows when it was last heard of. Gateways store readings for 14 days and send them when they are back, so nothing is lost by a short outage of the network.',
      'If charts load but are old, the processing is behind. The time of the last reading is printed below every chart; when it is more than 15 minutes old, an incident is opened automatically.',
      'During a maintenance window, always on the second Sunday of the month between 4:00 and 6:00 UTC, dashboards can be slow for a few minutes. Readings, alerts and forecasts keep working.',
    ],
  },
  {
    title: 'Choosing which alerts reach you',
    paragraphs: [
      'Alerts should wake somebody who can act, and nobody else. Under Settings, Notifications you choose for each kind of alert whether it is sent at once, collected into a digest, or only listed in the app.',
      'Alerts of the same event are grouped: the first is sent, the others are counted in it. Switch grouping off only for alarms that must be acknowledged one by one.',
      'Quiet hours hold everything back except alarms of the highest level. They follow the time zone of your phone, so that a journey does not turn day into night.',
      'An on-call schedule sends alarms to whoever is on duty. If an alarm is not acknowledged within ten minutes, it goes to the next person, and after that to the team lead.',
      'Every notification that was sent is in the log for 90 days, with the time at which the mail server or the phone accepted it. So you can find out whether an alert was late because of us, of the mail server, or of the phone’s battery saver.',
    ],
  },
  {
    title: 'Plans, seats and guests',
    paragraphs: [
      'There are three plans. The starter plan is for one site and five people. The business plan includes 25 seats, any number of sites, exports, and single sign-on. The enterprise plan adds a contract on availability and a contact of your own.',
      'A seat is needed by everyone who changes something: features, test cases, sites or settings. Reading is free, and so are guests, who see only the projects they were invited to.',
      'Seats can be added at any time and are billed from the day they are used. They can be given back at the end of each month. When somebody leaves, deactivate the account: the seat becomes free at once and everything the person created stays.',
      'A trial lasts 30 days and has all functions of the business plan. It can be extended once by 14 days. At its end nothing is deleted; the organization becomes read-only until you choose a plan.',
      'Schools and charities pay half. Yearly payment saves ten percent. Price changes are announced 60 days ahead and never apply before the end of a running contract.',
    ],
  },
  {
    title: 'Working with features, test cases and deployments',
    paragraphs: [
      'A feature describes something that people shall be able to do. It has an owner, a number of complexity points, and a status: planned, in progress, in review, done or cancelled. The date on which it became done counts for the throughput report, even if it is edited afterwards.',
      'Test cases say how to know that the feature is right. Give each of them a name that reads as a statement, such as "keeps the order after a reload". Results can be entered by hand or sent by your test runner through the API, many at once.',
      'A deployment brings a version into an environment: development, staging or production. It is pending until a runner takes it, running while it works, and then succeeded or failed. A version that was taken back is shown as rolled back and counts as failed in the statistics.',
      'The success rate and the median duration of deployments are under Analytics, by day or week and by environment. A falling success rate in staging is an early sign that tests are missing.',
      'Lists can be filtered by status, owner, part of the name and date, and ordered by date, points or name.',
    ],
  },
  {
    title: 'Using the API',
    paragraphs: [
      'Everything in the application is also available through the GraphQL API: features, conversations, documents, sites, readings, forecasts, and analytics. One request can ask for exactly the fields you need, across all of these.',
      'Requests carry a token of a person or of a service. Create one under Settings, API tokens, give it only the rights it needs, and store it like a password. A token can be revoked at any time and stops working within seconds.',
      'Lists are paged by cursors. Ask for up to 100 entries, and use the cursor at the end of the page to get the next one. Cursors stay valid when entries are added or removed in the meantime.',
      'Errors have a code. Correct the request when it is BAD_USER_INPUT; wait for the time given when it is RATE_LIMITED or OVERLOADED; report the request id to support when it is INTERNAL.',
      'Mutations that create something take an idempotency key. Sending the same key again returns the first result, so a request whose answer was lost in an outage can be repeated without creating anything twice.',
    ],
  },
];
