-- A database as psa-bridge left it at schema 3, before writing and noting became one step: killed with runs in every state.
BEGIN TRANSACTION;
CREATE TABLE alarms (
	name VARCHAR(160) NOT NULL, 
	organization VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	since FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "alarms" VALUES('quota:local','northwind','no credit',1.79523099041162228581e+09);
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
INSERT INTO "operation_outputs" VALUES('connectwise:57901',1,'decide','{"decided":{"number":"57901","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57901&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230962092,1795230962221,'portable_json','psa-bridge',1795230962000);
INSERT INTO "operation_outputs" VALUES('connectwise:57901',2,'act','{"acted":{"plan":{"apply":[{"field":"category","before":null,"after":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"why":"48 % sure","capability":"categorization"}],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"problem":null},"retry":null}',NULL,NULL,1795230962226,1795230962270,'portable_json','psa-bridge',1795230962000);
INSERT INTO "operation_outputs" VALUES('connectwise:57901',3,'tell','{"retry":null,"finished":true}',NULL,NULL,1795230962274,1795230962398,'portable_json','psa-bridge',1795230962000);
INSERT INTO "operation_outputs" VALUES('connectwise:57902',1,'decide','{"decided":{"number":"57902","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57902&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230965481,1795230965533,'portable_json','psa-bridge',1795230965000);
INSERT INTO "operation_outputs" VALUES('connectwise:57902',2,'act','{"acted":{"plan":{"apply":[],"suggest":[{"field":"category","before":null,"after":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"why":"48 % sure","capability":"categorization"}],"shadow":[],"left_alone":[]},"refused":0,"problem":null},"retry":null}',NULL,NULL,1795230965540,1795230965563,'portable_json','psa-bridge',1795230965000);
INSERT INTO "operation_outputs" VALUES('connectwise:57902',3,'tell','{"retry":null,"finished":true}',NULL,NULL,1795230965565,1795230965655,'portable_json','psa-bridge',1795230965000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',1,'decide','{"decided":{"number":"57903","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57903&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230968775,1795230968833,'portable_json','psa-bridge',1795230968000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',2,'act','{"acted":{"plan":{"apply":[],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"problem":{"where":"ConnectWise: PATCH /service/tickets/57903","hint":"cannot serve us right now","capability":null,"temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}},"retry":{"reason":"ConnectWise: PATCH /service/tickets/57903: cannot serve us right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230968836,1795230970249,'portable_json','psa-bridge',1795230970000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',3,'DBOS.sleep','1795230975.2594802',NULL,NULL,1795230970258,1795230975259,'portable_json','psa-bridge',1795230970000);
INSERT INTO "operation_outputs" VALUES('connectwise:57903',4,'act','{"acted":{"plan":{"apply":[],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"problem":{"where":"ConnectWise: PATCH /service/tickets/57903","hint":"cannot serve us right now","capability":null,"temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}},"retry":{"reason":"ConnectWise: PATCH /service/tickets/57903: cannot serve us right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230975259,1795230976457,'portable_json','psa-bridge',1795230976000);
INSERT INTO "operation_outputs" VALUES('connectwise:57904',1,'decide','{"decided":{"number":"57904","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57904&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[],"problems":[{"where":"Local AI server: asking practice-stand-in","hint":"the provider cannot answer right now","capability":"categorization","temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}],"not_run":{},"warnings":[]},"retry":{"reason":"Local AI server: asking practice-stand-in: the provider cannot answer right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230976625,1795230978005,'portable_json','psa-bridge',1795230978000);
INSERT INTO "operation_outputs" VALUES('connectwise:57904',2,'DBOS.sleep','1795230983.0184789',NULL,NULL,1795230978017,1795230983018,'portable_json','psa-bridge',1795230978000);
INSERT INTO "operation_outputs" VALUES('connectwise:57904',3,'decide','{"decided":{"number":"57904","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57904&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[],"problems":[{"where":"Local AI server: asking practice-stand-in","hint":"the provider cannot answer right now","capability":"categorization","temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}],"not_run":{},"warnings":[]},"retry":{"reason":"Local AI server: asking practice-stand-in: the provider cannot answer right now","after":null,"paused":false,"partial":false}}',NULL,NULL,1795230983018,1795230984204,'portable_json','psa-bridge',1795230984000);
INSERT INTO "operation_outputs" VALUES('connectwise:57905',1,'decide','{"decided":{"number":"57905","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57905&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230984342,1795230984373,'portable_json','psa-bridge',1795230984000);
INSERT INTO "operation_outputs" VALUES('connectwise:57905',2,'act','{"acted":{"plan":{"apply":[{"field":"category","before":null,"after":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"why":"48 % sure","capability":"categorization"}],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"problem":null},"retry":null}',NULL,NULL,1795230984375,1795230984390,'portable_json','psa-bridge',1795230984000);
INSERT INTO "operation_outputs" VALUES('connectwise:57906',1,'decide','{"decided":{"number":"57906","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57906&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null}',NULL,NULL,1795230985505,1795230985544,'portable_json','psa-bridge',1795230985000);
CREATE TABLE overrides (
	organization VARCHAR(64) NOT NULL, 
	document JSON NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	PRIMARY KEY (organization)
);
INSERT INTO "overrides" VALUES('northwind','{"categorization": {"min_confidence": 35}}','dana',1.79523099040105128289e+09,1);
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
INSERT INTO "queues" VALUES('600FCCE6040D03ED0EDB7269EAD4226A','tickets',NULL,50,NULL,NULL,1,1,0.1,1795230961000,1795230960968,'psa-bridge',40,NULL,NULL,NULL);
INSERT INTO "queues" VALUES('4DD5A74B1B1A5532D2140683485E8397','chores',NULL,8,NULL,NULL,1,0,1.0,1795230961000,1795230961005,'psa-bridge',NULL,NULL,NULL,NULL);
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
INSERT INTO "runs" VALUES('connectwise:57901','northwind','connectwise','57901','57901','webhook','71da75f681',1.79523096114244794848e+09,1.79523096238627290722e+09,1.79523096238627290722e+09,'applied',0,'The ticket speaks of ''laptop'': Hardware / Laptop / Battery.','{"number": "57901", "url": "http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57901&companyName=northwind", "skip": "", "seen": {"category": null, "team": null, "impact": {"id": "Medium", "name": "Medium"}, "status": {"id": "1001", "name": "New"}, "owner": null, "priority": {"id": "4", "name": "Priority 3 - Medium"}, "severity": {"id": "Medium", "name": "Medium"}}, "decisions": [{"capability": "categorization", "category": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "values": {}, "scores": {}, "confidence": 48, "reason": "The ticket speaks of ''laptop'': Hardware / Laptop / Battery.", "provider": "local", "model": "practice-stand-in", "fingerprint": "74a47ce189d9", "usage": [1809, 0, 28, 1, 0.0], "remarks": []}], "problems": [], "not_run": {}, "warnings": [], "plan": {"apply": [{"field": "category", "before": null, "after": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "why": "48 % sure", "capability": "categorization"}], "suggest": [], "shadow": [], "left_alone": []}, "refused": 0, "problem": null, "notes": ["120002"]}','local',1809,0,28,0.0);
INSERT INTO "runs" VALUES('connectwise:57902','northwind','connectwise','57902','57902','webhook','a210ffca37',1.79523096541760206223e+09,1.79523096564866900442e+09,1.79523096564866900442e+09,'suggested',0,'The ticket speaks of ''laptop'': Hardware / Laptop / Battery.','{"number": "57902", "url": "http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57902&companyName=northwind", "skip": "", "seen": {"category": null, "team": null, "impact": {"id": "Medium", "name": "Medium"}, "status": {"id": "1001", "name": "New"}, "owner": null, "priority": {"id": "4", "name": "Priority 3 - Medium"}, "severity": {"id": "Medium", "name": "Medium"}}, "decisions": [{"capability": "categorization", "category": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "values": {}, "scores": {}, "confidence": 48, "reason": "The ticket speaks of ''laptop'': Hardware / Laptop / Battery.", "provider": "local", "model": "practice-stand-in", "fingerprint": "74a47ce189d9", "usage": [1809, 0, 28, 1, 0.0], "remarks": []}], "problems": [], "not_run": {}, "warnings": [], "plan": {"apply": [], "suggest": [{"field": "category", "before": null, "after": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "why": "48 % sure", "capability": "categorization"}], "shadow": [], "left_alone": []}, "refused": 0, "problem": null, "notes": ["120004"]}','local',1809,0,28,0.0);
INSERT INTO "runs" VALUES('connectwise:57903','northwind','connectwise','57903','','webhook','1bedb64ae2',1.7952309687165980339e+09,1795230976.45926,NULL,'waiting',2,'ConnectWise: PATCH /service/tickets/57903: cannot serve us right now',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57904','northwind','connectwise','57904','','webhook','eb57e99971',1.7952309765310881138e+09,1.79523098420603704453e+09,NULL,'waiting',2,'Local AI server: asking practice-stand-in: the provider cannot answer right now',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57905','northwind','connectwise','57905','','webhook','022f42dcfe',1.79523098423482298851e+09,1.79523098423482298851e+09,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57906','northwind','connectwise','57906','','webhook','ba2775df2c',1.79523098543929910658e+09,1.79523098543929910658e+09,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57907','northwind','connectwise','57907','','webhook','21530480b1',1.79523098660743308067e+09,1.79523098660743308067e+09,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
INSERT INTO "runs" VALUES('connectwise:57908','northwind','connectwise','57908','','webhook','59a87487f9',1.79523098977469301217e+09,1.79523098977469301217e+09,NULL,'pending',0,'',NULL,'',0,0,0,NULL);
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(3);
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
INSERT INTO "suggestions" VALUES('Eg28BWqw72VvwgJS','connectwise:57902','northwind','connectwise','57902','open','[{"field": "category", "before": null, "after": {"parts": [["1101", "Hardware"], ["1104", "Laptop"], ["1105", "Battery"]]}, "why": "48 % sure", "capability": "categorization"}]',1.79523096556829810143e+09,NULL);
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
INSERT INTO "watermarks" VALUES('readiness',1795230961.10727,'');
INSERT INTO "watermarks" VALUES('event:connectwise',1.79523096115214204782e+09,'');
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
INSERT INTO "workflow_input" VALUES('connectwise:57901','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57901","organization":"northwind","connection":"connectwise","ticket":"57901","key":"71da75f681"},{}]}',1795230961000);
INSERT INTO "workflow_input" VALUES('connectwise:57902','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57902","organization":"northwind","connection":"connectwise","ticket":"57902","key":"a210ffca37"},{}]}',1795230965000);
INSERT INTO "workflow_input" VALUES('connectwise:57903','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57903","organization":"northwind","connection":"connectwise","ticket":"57903","key":"1bedb64ae2"},{}]}',1795230968000);
INSERT INTO "workflow_input" VALUES('connectwise:57903~2.0','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57903","organization":"northwind","connection":"connectwise","ticket":"57903","key":"1bedb64ae2"},{"attempts":2,"pauses":0,"decided":{"decided":{"number":"57903","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57903&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[{"capability":"categorization","category":{"parts":[["1101","Hardware"],["1104","Laptop"],["1105","Battery"]]},"values":{},"scores":{},"confidence":48,"reason":"The ticket speaks of ''laptop'': Hardware / Laptop / Battery.","provider":"local","model":"practice-stand-in","fingerprint":"74a47ce189d9","usage":[1809,0,28,1,0.0],"remarks":[]}],"problems":[],"not_run":{},"warnings":[]},"retry":null},"acted":{"acted":{"plan":{"apply":[],"suggest":[],"shadow":[],"left_alone":[]},"refused":0,"problem":{"where":"ConnectWise: PATCH /service/tickets/57903","hint":"cannot serve us right now","capability":null,"temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}},"retry":{"reason":"ConnectWise: PATCH /service/tickets/57903: cannot serve us right now","after":null,"paused":false,"partial":false}}}]}',1795230976000);
INSERT INTO "workflow_input" VALUES('connectwise:57904','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57904","organization":"northwind","connection":"connectwise","ticket":"57904","key":"eb57e99971"},{}]}',1795230976000);
INSERT INTO "workflow_input" VALUES('connectwise:57904~2.0','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57904","organization":"northwind","connection":"connectwise","ticket":"57904","key":"eb57e99971"},{"attempts":2,"pauses":0,"decided":{"decided":{"number":"57904","url":"http://127.0.0.1:9/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=57904&companyName=northwind","skip":"","seen":{"category":null,"team":null,"impact":{"id":"Medium","name":"Medium"},"status":{"id":"1001","name":"New"},"owner":null,"priority":{"id":"4","name":"Priority 3 - Medium"},"severity":{"id":"Medium","name":"Medium"}},"decisions":[],"problems":[{"where":"Local AI server: asking practice-stand-in","hint":"the provider cannot answer right now","capability":"categorization","temporary":true,"paused":false,"retry_after":null,"status":503,"kind":"TemporaryError"}],"not_run":{},"warnings":[]},"retry":{"reason":"Local AI server: asking practice-stand-in: the provider cannot answer right now","after":null,"paused":false,"partial":false}}}]}',1795230984000);
INSERT INTO "workflow_input" VALUES('connectwise:57905','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57905","organization":"northwind","connection":"connectwise","ticket":"57905","key":"022f42dcfe"},{}]}',1795230984000);
INSERT INTO "workflow_input" VALUES('connectwise:57906','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57906","organization":"northwind","connection":"connectwise","ticket":"57906","key":"ba2775df2c"},{}]}',1795230985000);
INSERT INTO "workflow_input" VALUES('connectwise:57907','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57907","organization":"northwind","connection":"connectwise","ticket":"57907","key":"21530480b1"},{}]}',1795230986000);
INSERT INTO "workflow_input" VALUES('connectwise:57908','{"namedArgs":{},"positionalArgs":[{"run":"connectwise:57908","organization":"northwind","connection":"connectwise","ticket":"57908","key":"59a87487f9"},{}]}',1795230989000);
CREATE TABLE workflow_output (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_output" VALUES('connectwise:57901','"finished"',NULL,1795230962000);
INSERT INTO "workflow_output" VALUES('connectwise:57902','"finished"',NULL,1795230965000);
INSERT INTO "workflow_output" VALUES('connectwise:57903','"continued"',NULL,1795230976000);
INSERT INTO "workflow_output" VALUES('connectwise:57904','"continued"',NULL,1795230984000);
CREATE TABLE workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL
, "last_fired_at" TEXT DEFAULT NULL, "automatic_backfill" BOOLEAN NOT NULL DEFAULT FALSE, "cron_timezone" TEXT DEFAULT NULL, "queue_name" TEXT DEFAULT NULL, "application_name" TEXT DEFAULT NULL);
INSERT INTO "workflow_schedules" VALUES('7388ada4-47ac-432d-b0de-8caa30ac6c9b','tick','tick',NULL,'* * * * *','ACTIVE','null',NULL,0,NULL,NULL,'psa-bridge');
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
INSERT INTO "workflow_status" VALUES('connectwise:57901','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230961000,1795230962000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230962000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230962000,'null',NULL,NULL,0,'psa-bridge','7624c6fa-1e46-48bb-af5e-5b1a89769c0a');
INSERT INTO "workflow_status" VALUES('connectwise:57902','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230965000,1795230965000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230965000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230965000,'null',NULL,NULL,0,'psa-bridge','67c597b4-b7c2-4a85-8895-0ff622a85f64');
INSERT INTO "workflow_status" VALUES('connectwise:57903','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230968000,1795230976000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230968000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230976000,'null',NULL,NULL,0,'psa-bridge','2170a82c-f913-48c4-a0be-97e7df78d940');
INSERT INTO "workflow_status" VALUES('connectwise:57903~2.0','DELAYED','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795230976000,1795230976000,NULL,NULL,NULL,NULL,0,'tickets',NULL,NULL,NULL,NULL,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',1795230996464,0,0,NULL,'null',NULL,NULL,0,NULL,'61c17c26-2295-4ad1-8435-91738ec03d06');
INSERT INTO "workflow_status" VALUES('connectwise:57904','SUCCESS','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230976000,1795230984000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230976000,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',NULL,0,0,1795230984000,'null',NULL,NULL,0,'psa-bridge','7af46588-e867-45d5-8b42-bcaf8e04c57d');
INSERT INTO "workflow_status" VALUES('connectwise:57904~2.0','DELAYED','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795230984000,1795230984000,NULL,NULL,NULL,NULL,0,'tickets',NULL,NULL,NULL,NULL,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',1795231004207,0,0,NULL,'null',NULL,NULL,0,NULL,'e1b966f1-483e-4de9-a7e3-16b219fbc8f3');
INSERT INTO "workflow_status" VALUES('connectwise:57905','PENDING','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230984000,1795230984000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230984000,NULL,0,'northwind',NULL,'3d220770-001f-47fe-9a5a-e24726ad7bdd',NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'psa-bridge','d2d35662-5e7d-433f-9560-1305d80bc9b3');
INSERT INTO "workflow_status" VALUES('connectwise:57906','PENDING','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230985000,1795230985000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230985000,NULL,0,'northwind',NULL,'6a3e84c9-2805-4c21-8f17-f4a40e498f52',NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'psa-bridge','673af550-0e11-48ad-9c1f-07a5235584b6');
INSERT INTO "workflow_status" VALUES('connectwise:57907','PENDING','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,'old-host',1795230986000,1795230986000,'1',NULL,NULL,NULL,1,'tickets',NULL,NULL,NULL,1795230986000,NULL,0,'northwind',NULL,'36c3ff05-d0f7-4917-b3aa-814eb8e6cee1',NULL,'portable_json',NULL,0,0,NULL,'null',NULL,NULL,0,'psa-bridge','25ab074a-f3e4-4730-9f02-2e827a254b82');
INSERT INTO "workflow_status" VALUES('connectwise:57908','DELAYED','handle_ticket',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795230989000,1795230989000,NULL,NULL,NULL,NULL,0,'tickets',NULL,NULL,NULL,NULL,NULL,0,'northwind',NULL,NULL,NULL,'portable_json',1795233989775,0,0,NULL,'null',NULL,NULL,0,NULL,'1948c623-8641-4958-aad2-aa64f8f56b19');
CREATE INDEX runs_by_status ON runs (status, created);
CREATE INDEX runs_by_ticket ON runs (connection, ticket);
CREATE INDEX runs_by_time ON runs (created);
CREATE INDEX runs_by_organization ON runs (organization, created);
CREATE INDEX sessions_by_time ON sessions (created);
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
