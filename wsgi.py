"""What another WSGI server names: `wsgi:app`. Reads BRIDGE_CONFIG or config/bridge.yaml and starts the engine."""

from bridge.app import Bridge
from bridge.settings.load import config_path
from bridge.web import create_app

bridge = Bridge(config_path())
bridge.start()
app = create_app(bridge)
