-- A database as psa-bridge left it at schema 6, before users had an origin: killed with runs in every state.
BEGIN TRANSACTION;
CREATE TABLE alarms (
	name VARCHAR(160) NOT NULL, 
	organization VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	since FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "alarms" VALUES('quota:local','northwind','no credit',1.79523098745772886281e+09);
CREATE TABLE application_versions (
    version_id TEXT NOT NULL PRIMARY KEY,
    version_name TEXT NOT NULL UNIQUE,
    version_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL);
CREATE TABLE attempts (
	name VARCHAR(300) NOT NULL, 
	failures INTEGER NOT NULL, 
	last FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	action VARCHAR(40) NOT NULL, 
	target VARCHAR(200) NOT NULL, 
	detail JSON NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE dbos_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "dbos_migrations" VALUES(125);
CREATE TABLE executors (
	name VARCHAR(100) NOT NULL, 
	boot VARCHAR(32) NOT NULL, 
	seen FLOAT NOT NULL, 
	patience FLOAT NOT NULL, 
	ready BOOLEAN NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE notifications (
    message_uuid TEXT NOT NULL DEFAULT (hex(randomblob(16))) PRIMARY KEY,
    destination_uuid TEXT NOT NULL,
    topic TEXT,
    message TEXT NOT NULL,
    created_at_epoch_ms INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000), "serialization" TEXT DEFAULT NULL, "consumed" BOOLEAN NOT NULL DEFAULT FALSE, consumed_by_function_id INTEGER,
    FOREIGN KEY (destination_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE "operation_outputs" (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms INTEGER,
    completed_at_epoch_ms INTEGER,
    serialization TEXT,
    application_name TEXT DEFAULT NULL,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    PRIMARY KEY (workflow_uuid, function_id)
);
INSERT INTO "operation_outputs" VALUES('connectwise:57901',1,'decide','{"decided":{"number":"57901","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57901&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230962199,1795230962383,'portable_json','psa-bridge',1795230962000);
INSERT INTO "operation_outputs" VALUES('connectwise:57901',2,'finish','{"acted":{"plan":{"apply":[{"field":"category","before":null,"after":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"why":"48 % sure","capability":"categorization"}],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"derived":[],"problem":null},"wrote":true,"retry":null,"finished":true}',NULL,NULL,1795230962389,1795230962470,'portable_json','psa-bridge',1795230962000);
INSERT INTO "operation_outputs" VALUES('connectwise:57902',1,'decide','{"decided":{"number":"57902","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57902&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230965559,1795230965614,'portable_json','psa-bridge',1795230965000);
INSERT INTO "operation_outputs" VALUES('connectwise:57902',2,'finish','{"acted":{"plan":{"apply":[],"suggest":[{"field":"category","before":null,"after":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"why":"48 % sure","capability":"categorization"}],"shadow":[],"left_alone":[]},"refused":0,"derived":[],"problem":null},"wrote":true,"retry":null,"finished":true}',NULL,NULL,1795230965617,1795230965658,'portable_json','psa-bridge',1795230965000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',1,'decide','{"decided":{"number":"57903","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57903&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230968704,1795230968748,'portable_json','psa-bridge',1795230968000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',2,'finish','{"acted":{"plan":{"apply":[],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"derived":[],"problem":{"where":"ConnectWise: PATCH /service/tickets/57903","hint":"cannot serve us right now","capability":null,"temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}},"wrote":false,"retry":{"reason":"ConnectWise: PATCH /service/tickets/57903: cannot serve us right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230968752,1795230968777,'portable_json','psa-bridge',1795230968000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',3,'DBOS.sleep','1795230973.7870653',NULL,NULL,1795230968783,1795230973787,'portable_json','psa-bridge',1795230968000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',4,'finish','{"acted":{"plan":{"apply":[],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"derived":[],"problem":{"where":"ConnectWise: PATCH /service/tickets/57903","hint":"cannot serve us right now","capability":null,"temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}},"wrote":false,"retry":{"reason":"ConnectWise: PATCH /service/tickets/57903: cannot serve us right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230973787,1795230973801,'portable_json','psa-bridge',1795230973000);
INSERT INTO "operation_outputs" VALUES('connectwise:57904',1,'decide','{"decided":{"number":"57904","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57904&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[],"problems":[{"where":"Local AI server: asking practice-stand-in","hint":"the provider cannot answer right now","capability":"categorization","temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}],"not_run":{},"warnings":[]},"retry":{"reason":"Local AI server: asking practice-stand-in: the provider cannot answer right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230973896,1795230975232,'portable_json','psa-bridge',1795230975000);
INSERT INTO "operation_outputs" VALUES('connectwise:57904',2,'DBOS.sleep','1795230980.236834',NULL,NULL,1795230975235,1795230980236,'portable_json','psa-bridge',1795230975000);
INSERT INTO "operation_outputs" VALUES('connectwise:57904',3,'decide','{"decided":{"number":"57904","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57904&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[],"problems":[{"where":"Local AI server: asking practice-stand-in","hint":"the provider cannot answer right now","capability":"categorization","temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}],"not_run":{},"warnings":[]},"retry":{"reason":"Local AI server: asking practice-stand-in: the provider cannot answer right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230980237,1795230981558,'portable_json','psa-bridge',1795230981000);
INSERT INTO "operation_outputs" VALUES('connectwise:57905',1,'decide','{"decided":{"number":"57905","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57905&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230981618,1795230981641,'portable_json','psa-bridge',1795230981000);
INSERT INTO "operation_outputs" VALUES('connectwise:57906',1,'decide','{"decided":{"number":"57906","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57906&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230982733,1795230982769,'portable_json','psa-bridge',1795230982000);
CREATE TABLE overrides (
	organization VARCHAR(64) NOT NULL, 
	document JSON NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	PRIMARY KEY (organization)
);
INSERT INTO "overrides" VALUES('northwind','{"categorization": {"min_confidence": 35}}','dana',1.79523098745463156704e+09,1);
CREATE TABLE prompts (
	name VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	text TEXT, 
	"by" VARCHAR(200) NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (name, number)
);
CREATE TABLE queues (
    queue_id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16))),
    name TEXT NOT NULL UNIQUE,
    concurrency INTEGER,
    worker_concurrency INTEGER,
    rate_limit_max INTEGER,
    rate_limit_period_sec REAL,
    priority_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    partition_queue BOOLEAN NOT NULL DEFAULT FALSE,
    polling_interval_sec REAL NOT NULL DEFAULT 1.0,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL, "partition_concurrency" INTEGER DEFAULT NULL, "partition_worker_concurrency" INTEGER DEFAULT NULL, "partition_rate_limit_max" INTEGER DEFAULT NULL, "partition_rate_limit_period_sec" REAL DEFAULT NULL);
INSERT INTO "queues" VALUES('C8767F5AE44E3B04878B13AF8515F5E1','tickets',NULL,50,NULL,NULL,1,1,0.25,1795230961000,1795230961136,'psa-bridge',40,NULL,NULL,NULL);
INSERT INTO "queues" VALUES('53F87D837D5531A2CD3CB6FDCC47B50D','chores',NULL,8,NULL,NULL,1,0,1.0,1795230961000,1795230961148,'psa-bridge',NULL,NULL,NULL,NULL);
CREATE TABLE replies (
	"key" VARCHAR(64) NOT NULL, 
	connection VARCHAR(64) NOT NULL, 
	ticket VARCHAR(64) NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	at FLOAT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	note VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE runs (
	id VARCHAR(200) NOT NULL, 
	organization VARCHAR(64) NOT NULL, 
	connection VARCHAR(64) NOT NULL, 
	ticket VARCHAR(64) NOT NULL, 
	client VARCHAR(64) DEFAULT '' NOT NULL, 
	number VARCHAR(64) DEFAULT '' NOT NULL, 
	origin VARCHAR(16) NOT NULL, 
	note_key VARCHAR(32) NOT NULL, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	finished FLOAT, 
	status VARCHAR(16) NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	record JSON, 
	provider VARCHAR(32) DEFAULT '' NOT NULL, 
	tokens_in INTEGER DEFAULT '0' NOT NULL, 
	tokens_cached INTEGER DEFAULT '0' NOT NULL, 
	tokens_out INTEGER DEFAULT '0' NOT NULL, 
	cost FLOAT, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('connectwise:57901','northwind','connectwise','57901','250','57901','webhook','aa701f45a0',1.79523096128822207454e+09,1.79523096246662902828e+09,1.79523096246662902828e+09,'applied',0,'The ticket speaks of ''laptop'': Hardware / Laptop / Battery.','{"number": "57901", "client": "250", "url": "http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57901&companyName=northwind", "skip": "", "seen": {"owner": null, "category": null, "status": {"id": "1001", "name": "New"}, "team": null, "priority": {"id": "4", "name": "Priority 3 - Medium"}, "severity": {"id": "Medium", "name": "Medium"}, "impact": {"id": "Medium", "name": "Medium"}}, "decisions": [{"capability": "categorization", "category": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "values": {}, "scores": {}, "confidence": 48, "reason": "The ticket speaks of ''laptop'': Hardware / Laptop / Battery.", "provider": "local", "model": "practice-stand-in", "fingerprint": "74a47ce189d9", "usage": [1809, 0, 28, 1, 0.0], "remarks": []}], "problems": [], "not_run": {}, "warnings": [], "plan": {"apply": [{"field": "category", "before": null, "after": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "why": "48 % sure", "capability": "categorization"}], "suggest": [], "shadow": [], "left_alone": []}, "refused": 0, "derived": [], "problem": null, "notes": ["120002"]}','local',1809,0,28,0.0);
INSERT INTO "runs" VALUES('connectwise:57902','northwind','connectwise','57902','250','57902','webhook','483cf789d7',1.79523096552565193176e+09,1.7952309656537840366e+09,1.7952309656537840366e+09,'suggested',0,'The ticket speaks of ''laptop'': Hardware / Laptop / Battery.','{"number": "57902", "client": "250", "url": "http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57902&companyName=northwind", "skip": "", "seen": {"owner": null, "category": null, "status": {"id": "1001", "name": "New"}, "team": null, "priority": {"id": "4", "name": "Priority 3 - Medium"}, "severity": {"id": "Medium", "name": "Medium"}, "impact": {"id": "Medium", "name": "Medium"}}, "decisions": [{"capability": "categorization", "category": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "values": {}, "scores": {}, "confidence": 48, "reason": "The ticket speaks of ''laptop'': Hardware / Laptop / Battery.", "provider": "local", "model": "practice-stand-in", "fingerprint": "74a47ce189d9", "usage": [1809, 0, 28, 1, 0.0], "remarks": []}], "problems": [], "not_run": {}, "warnings": [], "plan": {"apply": [], "suggest": [{"field": "category", "before": null, "after": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "why": "48 % sure", "capability": "categorization"}], "shadow": [], "left_alone": []}, "refused": 0, "derived": [], "problem": null, "notes": ["120004"]}','local',1809,0,28,0.0);
INSERT INTO "runs" VALUES('connectwise:57903','northwind','connectwise','57903','','','webhook','1a8fb120f0',1.79523096868230295185e+09,1.79523097382041096686e+09,NULL,'waiting',2,'ConnectWise: PATCH /service/tickets/57903: cannot serve us right now',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57904','northwind','connectwise','57904','','','webhook','25a782830a',1.79523097388437199595e+09,1.79523098156137204169e+09,NULL,'waiting',2,'Local AI server: asking practice-stand-in: the provider cannot answer right now',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57905','northwind','connectwise','57905','','','webhook','a80f2dcf9e',1.7952309815996119976e+09,1.7952309815996119976e+09,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57906','northwind','connectwise','57906','','','webhook','f7d0edea8b',1.79523098272020101544e+09,1.79523098272020101544e+09,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57907','northwind','connectwise','57907','','','webhook','f54e1eb46a',1795230983.80671,1795230983.80671,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57908','northwind','connectwise','57908','','','webhook','31fcf1ea30',1.79523098688850808136e+09,1.79523098688850808136e+09,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(6);
CREATE TABLE sessions (
	id VARCHAR(64) NOT NULL, 
	user VARCHAR(200) NOT NULL, 
	epoch INTEGER NOT NULL, 
	created FLOAT NOT NULL, 
	seen FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE signing (
	purpose VARCHAR(40) NOT NULL, 
	material BLOB NOT NULL, 
	PRIMARY KEY (purpose)
);
CREATE TABLE streams (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    "offset" INTEGER NOT NULL, function_id INTEGER NOT NULL DEFAULT 0, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key, "offset"),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE suggestions (
	id VARCHAR(40) NOT NULL, 
	run VARCHAR(200) NOT NULL, 
	organization VARCHAR(64) NOT NULL, 
	connection VARCHAR(64) NOT NULL, 
	ticket VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	changes JSON NOT NULL, 
	created FLOAT NOT NULL, 
	closed FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (run), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "suggestions" VALUES('iYDIAsgZmEl18oDg','connectwise:57902','northwind','connectwise','57902','open','[{"field": "category", "before": null, "after": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "why": "48 % sure", "capability": "categorization"}]',1.79523096563814592361e+09,NULL);
CREATE TABLE takeovers (
	job VARCHAR(250) NOT NULL, 
	times INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (job)
);
CREATE TABLE tokens (
	id VARCHAR(24) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	scopes JSON NOT NULL, 
	organization VARCHAR(64), 
	created FLOAT NOT NULL, 
	used FLOAT, 
	expires FLOAT, 
	revoked FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (digest)
);
CREATE TABLE users (
	name VARCHAR(200) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	password VARCHAR(255) DEFAULT '' NOT NULL, 
	created FLOAT NOT NULL, 
	epoch INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE vault (
	name VARCHAR(100) NOT NULL, 
	token BLOB NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE verdicts (
	id INTEGER NOT NULL, 
	run VARCHAR(200) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	at FLOAT NOT NULL, 
	fields JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE watermarks (
	name VARCHAR(120) NOT NULL, 
	at FLOAT NOT NULL, 
	note TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "watermarks" VALUES('readiness',1.79523096127138090134e+09,'');
INSERT INTO "watermarks" VALUES('event:connectwise',1.79523096129365396494e+09,'');
CREATE TABLE workflow_events (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events_history (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, function_id, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_input (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    inputs TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_input" VALUES('connectwise:57901','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57901","organization":"northwind","connection":"connectwise","ticket":"57901","key":"aa701f45a0"},{}]}',1795230961000);
INSERT INTO "workflow_input" VALUES('connectwise:57902','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57902","organization":"northwind","connection":"connectwise","ticket":"57902","key":"483cf789d7"},{}]}',1795230965000);
INSERT INTO "workflow_input" VALUES('connectwise:57903','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57903","organization":"northwind","connection":"connectwise","ticket":"57903","key":"1a8fb120f0"},{}]}',1795230968000);
INSERT INTO "workflow_input" VALUES('connectwise:57903~2.0','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57903","organization":"northwind","connection":"connectwise","ticket":"57903","key":"1a8fb120f0"},{"attempts":2,"pauses":0,"before":0,"decided":{"decided":{"number":"57903","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57903&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null},"finished":{"acted":{"plan":{"apply":[],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"derived":[],"problem":{"where":"ConnectWise: PATCH /service/tickets/57903","hint":"cannot serve us right now","capability":null,"temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}},"wrote":false,"retry":{"reason":"ConnectWise: PATCH /service/tickets/57903: cannot serve us right now","after":null,"paused":false,"partial":false}}}]}',1795230973000);
INSERT INTO "workflow_input" VALUES('connectwise:57904','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57904","organization":"northwind","connection":"connectwise","ticket":"57904","key":"25a782830a"},{}]}',1795230973000);
INSERT INTO "workflow_input" VALUES('connectwise:57904~2.0','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57904","organization":"northwind","connection":"connectwise","ticket":"57904","key":"25a782830a"},{"attempts":2,"pauses":0,"before":0,"decided":{"decided":{"number":"57904","client":"250","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57904&companyName=northwind","skip":"","seen":{"owner":null,"category":null,"status":{"id":"1001","name":"New"},"team":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"},"impact":{"id":"Medium","name":"Medium"}},"decisions":[],"problems":[{"where":"Local AI server: asking practice-stand-in","hint":"the provider cannot answer right now","capability":"categorization","temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}],"not_run":{},"warnings":[]},"retry":{"reason":"Local AI server: asking practice-stand-in: the provider cannot answer right now","after":null,"paused":false,"partial":false}}}]}',1795230981000);
INSERT INTO "workflow_input" VALUES('connectwise:57905','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57905","organization":"northwind","connection":"connectwise","ticket":"57905","key":"a80f2dcf9e"},{}]}',1795230981000);
INSERT INTO "workflow_input" VALUES('connectwise:57906','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57906","organization":"northwind","connection":"connectwise","ticket":"57906","key":"f7d0edea8b"},{}]}',1795230982000);
INSERT INTO "workflow_input" VALUES('connectwise:57907','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57907","organization":"northwind","connection":"connectwise","ticket":"57907","key":"f54e1eb46a"},{}]}',1795230983000);
INSERT INTO "workflow_input" VALUES('connectwise:57908','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57908","organization":"northwind","connection":"connectwise","ticket":"57908","key":"31fcf1ea30"},{}]}',1795230986000);
CREATE TABLE workflow_output (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_output" VALUES('connectwise:57901','"finished"',NULL,1795230962000);
INSERT INTO "workflow_output" VALUES('connectwise:57902','"finished"',NULL,1795230965000);
INSERT INTO "workflow_output" VALUES('connectwise:57903','"continued"',NULL,1795230973000);
INSERT INTO "workflow_output" VALUES('connectwise:57904','"continued"',NULL,1795230981000);
CREATE TABLE workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL
, "last_fired_at" TEXT DEFAULT NULL, "automatic_backfill" BOOLEAN NOT NULL DEFAULT FALSE, "cron_timezone" TEXT DEFAULT NULL, "queue_name" TEXT DEFAULT NULL, "application_name" TEXT DEFAULT NULL);
INSERT INTO "workflow_schedules" VALUES('4a898ff8-33b7-4009-9e31-3dc101913fc9','tick','tick',NULL,'* * * * *','ACTIVE','null',NULL,0,NULL,NULL,'psa-bridge');
CREATE TABLE workflow_status (
    workflow_uuid TEXT PRIMARY KEY,
    status TEXT,
    name TEXT,
    authenticated_user TEXT,
    assumed_role TEXT,
    authenticated_roles TEXT,
    request TEXT,
    output TEXT,
    error TEXT,
    executor_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    application_version TEXT,
    application_id TEXT,
    class_name TEXT DEFAULT NULL,
    config_name TEXT DEFAULT NULL,
    recovery_attempts INTEGER DEFAULT 0,
    queue_name TEXT,
    workflow_timeout_ms INTEGER,
    workflow_deadline_epoch_ms INTEGER,
    inputs TEXT,
    started_at_epoch_ms INTEGER,
    deduplication_id TEXT,
    priority INTEGER NOT NULL DEFAULT 0
, queue_partition_key TEXT, forked_from TEXT, "owner_xid" TEXT DEFAULT NULL, "parent_workflow_id" TEXT DEFAULT NULL, "serialization" TEXT DEFAULT NULL, "delay_until_epoch_ms" BIGINT DEFAULT NULL, "was_forked_from" BOOLEAN NOT NULL DEFAULT FALSE, "rate_limited" BOOLEAN NOT NULL DEFAULT FALSE, "completed_at" BIGINT, "attributes" TEXT, "schedule_name" TEXT, "debounce_deadline_epoch_ms" BIGINT DEFAULT NULL, "is_debounced" BOOLEAN NOT NULL DEFAULT FALSE, "application_name" TEXT DEFAULT NULL, "creator_xid" TEXT DEFAULT NULL);
INSERT INTO "workflow_status" VALUES('connectwise:57901','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230961000,1795230962000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230962000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230962000,'null',NULL,NULL,0,'psa-bridge','b3f5efc7-c121-4f05-8795-591ce3b5875e');
INSERT INTO "workflow_status" VALUES('connectwise:57902','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230965000,1795230965000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230965000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230965000,'null',NULL,NULL,0,'psa-bridge','e54f3388-55ee-437d-8422-2211226d4485');
INSERT INTO "workflow_status" VALUES('connectwise:57903','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230968000,1795230973000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230968000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230973000,'null',NULL,NULL,0,'psa-bridge','b499c5a4-e719-4b41-9b9b-4df76766c1e0');
INSERT INTO "workflow_status" VALUES('connectwise:57903~2.0','DELAYED','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795230973000,1795230973000,NULL,NULL,NULL,NULL,0,'tickets',NULL,NULL,NULL,NULL,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',1795230993822,0,0,NULL,'null',NULL,NULL,0,NULL,'0ebf3b3d-2234-4d1e-a8e2-1d78e4448097');
INSERT INTO "workflow_status" VALUES('connectwise:57904','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230973000,1795230981000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230973000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230981000,'null',NULL,NULL,0,'psa-bridge','1bd452aa-d3dc-4ddd-b2fd-03ffb2c4745d');
INSERT INTO "workflow_status" VALUES('connectwise:57904~2.0','DELAYED','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795230981000,1795230981000,NULL,NULL,NULL,NULL,0,'tickets',NULL,NULL,NULL,NULL,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',1795231001562,0,0,NULL,'null',NULL,NULL,0,NULL,'b91a0b60-a029-4a77-84d9-290ec23e5a57');
INSERT INTO "workflow_status" VALUES('connectwise:57905','PENDING','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230981000,1795230981000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230981000,NULL,0,'northwind',NULL,'57f9c9d4-9e6a-4b79-89d6-2bbd1101d7c5',NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'psa-bridge','770e95f9-308b-4f1c-bf11-d3fbe4443768');
INSERT INTO "workflow_status" VALUES('connectwise:57906','PENDING','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230982000,1795230982000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230982000,NULL,0,'northwind',NULL,'b0b92f1e-a29b-408c-8972-f958b7408f7b',NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'psa-bridge','bfd80b61-6646-49e4-b072-0bd2178939b1');
INSERT INTO "workflow_status" VALUES('connectwise:57907','PENDING','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230983000,1795230983000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230983000,NULL,0,'northwind',NULL,'0e78cc64-1e69-499a-a169-3e3dc5118cf0',NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'psa-bridge','f82f344a-01f8-4d11-b758-dc586b52267c');
INSERT INTO "workflow_status" VALUES('connectwise:57908','DELAYED','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795230986000,1795230986000,NULL,NULL,NULL,NULL,0,'tickets',NULL,NULL,NULL,NULL,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',1795233986889,0,0,NULL,'null',NULL,NULL,0,NULL,'92f5383e-d8cc-453e-b60c-f948212cff4b');
CREATE INDEX runs_by_organization ON runs (organization, created);
CREATE INDEX runs_by_client ON runs (connection, client);
CREATE INDEX runs_by_ticket ON runs (connection, ticket);
CREATE INDEX runs_by_status ON runs (status, created);
CREATE INDEX runs_by_time ON runs (created);
CREATE INDEX sessions_by_time ON sessions (created);
CREATE INDEX replies_by_time ON replies (at);
CREATE INDEX replies_by_ticket ON replies (connection, ticket);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX suggestions_open ON suggestions (organization, state, created);
CREATE INDEX verdicts_by_run ON verdicts (run);
CREATE INDEX workflow_status_created_at_index ON workflow_status (created_at);
CREATE INDEX idx_workflow_topic ON notifications (destination_uuid, topic);
CREATE INDEX "idx_workflow_status_delayed" ON "workflow_status" ("delay_until_epoch_ms") WHERE status = 'DELAYED';
CREATE INDEX "idx_workflow_status_forked_from" ON "workflow_status" ("forked_from") WHERE "forked_from" IS NOT NULL;
CREATE INDEX "idx_workflow_status_parent_workflow_id" ON "workflow_status" ("parent_workflow_id") WHERE "parent_workflow_id" IS NOT NULL;
CREATE UNIQUE INDEX "uq_workflow_status_dedup_id" ON "workflow_status" ("queue_name", "deduplication_id") WHERE "deduplication_id" IS NOT NULL;
CREATE INDEX "idx_workflow_status_pending" ON "workflow_status" ("created_at") WHERE "status" = 'PENDING';
CREATE INDEX "idx_workflow_status_failed" ON "workflow_status" ("status", "created_at") WHERE "status" IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED');
CREATE INDEX "idx_workflow_status_rate_limited" ON "workflow_status" ("queue_name", "started_at_epoch_ms") WHERE "rate_limited" = TRUE;
CREATE INDEX "idx_workflow_status_completed_at" ON "workflow_status" ("completed_at") WHERE "completed_at" IS NOT NULL;
CREATE INDEX "idx_workflow_status_started_at" ON "workflow_status" ("started_at_epoch_ms") WHERE "started_at_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_workflow_status_schedule_name" ON "workflow_status" ("schedule_name") WHERE "schedule_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_owner_version"
    ON application_versions ("application_name", "version_name")
    WHERE "application_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_unclaimed_version"
    ON application_versions ("version_name")
    WHERE "application_name" IS NULL;
CREATE INDEX idx_workflow_input_retention
    ON workflow_input (retention_timestamp);
CREATE INDEX idx_workflow_output_retention
    ON workflow_output (retention_timestamp);
CREATE INDEX idx_operation_outputs_retention
    ON operation_outputs (retention_timestamp);
CREATE INDEX "idx_workflow_status_in_flight_v2" ON "workflow_status" ("queue_name", "status", "priority", "created_at", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING');
CREATE INDEX "idx_workflow_status_partition_dequeue_v3" ON "workflow_status" ("queue_name", "status", "queue_partition_key", "priority", "created_at", "workflow_uuid", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING') AND "queue_partition_key" IS NOT NULL;
CREATE INDEX "idx_operation_outputs_completed_at_function_name_v2" ON "operation_outputs" ("completed_at_epoch_ms", "function_name", "application_name");
CREATE INDEX "idx_workflow_status_deadline" ON "workflow_status" ("workflow_deadline_epoch_ms") WHERE "status" IN ('ENQUEUED', 'PENDING', 'DELAYED') AND "workflow_deadline_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_application_versions_timestamp" ON "application_versions" ("version_timestamp" DESC);
CREATE INDEX "idx_application_versions_owner_timestamp" ON "application_versions" ("application_name", "version_timestamp" DESC);
COMMIT;
