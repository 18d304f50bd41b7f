import './forecast.ts';
import './models.ts';
import './predict.ts';
import './prediction.ts';
import './rollout.ts';
import './sentiment.ts';
import './site.ts';
import './statistics.ts';
