"""All settings, typed and read from the environment once.

Every variable is listed with its meaning in docs/operations.md.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env

from apps.core.secret_files import read_or_create_secret
from llmops_web.file_store import file_store
from llmops_web.stack.folder import claim_data_folder
from llmops_web.stack.paths import StackPaths

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# --- where things are -------------------------------------------------------------------------
DATA_DIR = Path(env.str("LLMOPS_DATA_DIR", str(BASE_DIR / ".data"))).expanduser().resolve()
STACK = StackPaths(DATA_DIR)
claim_data_folder(STACK)
HOST: str = env.str("HOST", "127.0.0.1")
PORT: int = env.int("PORT", 8000)
PRODUCTION: bool = env.bool("LLMOPS_PRODUCTION", False)
DEBUG: bool = env.bool("LLMOPS_DEBUG", False)
PUBLIC_URL: str = env.str("LLMOPS_PUBLIC_URL", f"http://{HOST}:{PORT}").rstrip("/")

_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = [
    *({_public.hostname} if _public.hostname else set()),
    *(["127.0.0.1", "localhost", "[::1]"] if not PRODUCTION else ["127.0.0.1"]),
    *env.list("LLMOPS_ALLOWED_HOSTS", []),
]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

# --- secrets ----------------------------------------------------------------------------------
SECRET_KEY: str = env.str("LLMOPS_SECRET_KEY", "") or read_or_create_secret(STACK.secret_key)
KEY_RING: str = env.str("LLMOPS_KEY_RING", "")  # JSON; empty: the file below is used
KEY_RING_FILE = STACK.key_ring

# --- applications -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "apps.core",
    "apps.providers",
    "apps.prompts",
    "apps.datasets",
    "apps.traces",
    "apps.evaluations",
    "apps.workbench",
    "apps.feedback",
    "apps.training",
    "llmops_web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.FirstStartMiddleware",
    "apps.core.middleware.ProductErrorMiddleware",
]
ROOT_URLCONF = "llmops_web.urls"
ASGI_APPLICATION = "llmops_web.asgi.application"
WSGI_APPLICATION = "llmops_web.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "apps.core.context.shell",
            ],
            "builtins": ["apps.core.templatetags.ui"],
        },
    }
]
FORM_RENDERER = "apps.core.forms.ProductFormRenderer"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# --- database ---------------------------------------------------------------------------------
def _database(url: str) -> dict[str, object]:
    """Django's settings for a postgresql:// URL; a unix socket folder is given as ?host=/folder."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**query, "application_name": "llmops-web"},
    }


EMBEDDED_DATABASE = not env.str("DATABASE_URL", "")
DATABASE_URL: str = env.str("DATABASE_URL", "") or STACK.database_url
DATABASES = {"default": _database(DATABASE_URL)}

# --- broker and work --------------------------------------------------------------------------
EMBEDDED_BROKER = not env.str("BROKER_URL", "")
BROKER_URL: str = env.str("BROKER_URL", "") or STACK.broker_url
#: The same server as redis-py writes it.
VALKEY_URL = BROKER_URL.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# On a queue, what a person waits for goes before what a run does.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_keepalive": True,
    "queue_order_strategy": "priority",
    # A request does not wait for a broker that is away (kombu's own default is six seconds): what could not
    # be sent is found by the sweep.
    "max_retries": 2,
    "interval_start": 0.1,
    "interval_step": 0.2,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_IMPORTS = ["worker.tasks"]
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
#: The queues that some capability uses today; /readyz wants a worker on each.
QUEUES = ["default", "interactive", "llm", "local", "gpu"]
#: Processes that serve the queue `llm` on this machine. One makes some hundreds of calls a second.
LLM_WORKERS: int = max(1, env.int("LLMOPS_LLM_WORKERS", 1))
#: Which queues share a worker process on this machine, each group by commas: fewer take less memory.
WORKERS: list[str] = env.str("LLMOPS_WORKERS", " ".join(QUEUES)).split()
if sorted(queue for group in WORKERS for queue in group.split(",")) != sorted(QUEUES):
    raise ImproperlyConfigured(f"LLMOPS_WORKERS must name each queue once: {' '.join(QUEUES)}.")
#: Processes that serve the queue `gpu` on this machine: one a device; the n-th one trains on the n-th GPU.
GPU_WORKERS: int = max(1, env.int("LLMOPS_GPU_WORKERS", 1))
#: Folders of models that jobs may begin from, one model a folder; workers of `gpu` and `local` read them too.
BASE_MODELS_DIR = Path(env.str("LLMOPS_BASE_MODELS_DIR", "") or STACK.base_models)
#: What a worker of `local` keeps in memory: adapters, and bytes of whole models (0: half of the memory).
LOCAL_ADAPTERS: int = max(1, env.int("LLMOPS_LOCAL_ADAPTERS", 8))
LOCAL_MEMORY_BYTES = int(env.float("LLMOPS_LOCAL_MEMORY_GB", 0.0) * 1e9)
#: A page that was left for so many seconds has its calls to models cancelled.
PAGE_AWAY_S: float = env.float("LLMOPS_PAGE_AWAY_S", 30.0)

# --- caches and files -------------------------------------------------------------------------
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": VALKEY_URL}}
STORAGES = {
    "default": file_store(env),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
#: Worker machines share this folder (a network file system), or a bucket; see llmops_web/file_store.py.
MEDIA_ROOT = Path(env.str("LLMOPS_FILES_DIR", "") or STACK.files)
MEDIA_URL = ""
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [("dist", BASE_DIR / "static" / "dist"), ("img", BASE_DIR / "static" / "img")]
FILE_UPLOAD_TEMP_DIR = None
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 20_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# --- people -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "apps.core.passwords.PasswordRules", "OPTIONS": {"min_length": 10}}]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "core:home"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_FORMS = {
    "login": "apps.core.forms_password.SignInForm",
    "change_password": "apps.core.forms_password.ChangePasswordForm",
    "reset_password_from_key": "apps.core.forms_password.PasswordFromMailForm",
}
ACCOUNT_ADAPTER = "apps.core.adapters.ClosedSignupAdapter"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[llmops-web] "
#: How many reverse proxies of ours stand before the web process; see apps.core.addresses.
TRUSTED_PROXIES: int = env.int("LLMOPS_TRUSTED_PROXIES", 0)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ADAPTER = "apps.core.second_factor.EncryptingAdapter"
MFA_TOTP_ISSUER = "llmops-web"
MFA_TOTP_TOLERANCE = 1  # a phone whose clock is up to half a minute off
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are given by admins; nobody confirms one by mail
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if env.str("EMAIL_HOST", "")
    else "django.core.mail.backends.dummy.EmailBackend"
)
EMAIL_HOST: str = env.str("EMAIL_HOST", "")
EMAIL_PORT: int = env.int("EMAIL_PORT", 587)
EMAIL_HOST_USER: str = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD: str = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS: bool = env.bool("EMAIL_USE_TLS", True)
DEFAULT_FROM_EMAIL: str = env.str("EMAIL_FROM", "llmops-web@localhost")

# --- HTTP security ----------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "llmops_session"
CSRF_COOKIE_NAME = "llmops_csrf"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
if PRODUCTION:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- REST -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.core.api_auth.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.core.api_auth.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.problems.problem_details",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "ENUM_NAME_OVERRIDES": {
        "ModelStateEnum": "apps.training.models.registry.ModelState.State",
        "ModelKindEnum": "apps.training.models.registry.ModelVersion.Kind",
        "ModelSourceEnum": "apps.training.models.registry.ModelVersion.Source",
        "RegistryWorkKindEnum": "apps.training.models.registry.RegistryWork.Kind",
        "RegistryWorkStatusEnum": "apps.training.models.registry.RegistryWork.Status",
        "ComparisonStatusEnum": "apps.evaluations.comparisons.serializers.STATUSES",
        "CallStatusEnum": "apps.workbench.call_serializers.STATUSES",
        "SpanKindEnum": "apps.traces.serializers.KINDS",
        "AnnotationQueueKindEnum": "apps.feedback.models.AnnotationQueue.Kind",
        "KeepOrLeaveEnum": "apps.feedback.training_sets.recipe.KEEP_OR_LEAVE",
        "MethodEnum": "apps.feedback.models.TrainingSet.Method",
        "FineTuningMethodEnum": "apps.training.models.FineTuningJob.Method",
    },
    "TITLE": "llmops-web",
    "DESCRIPTION": "Prompts, datasets, runs and comparisons. Authorise with an API key of a project.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.api_document.problem_answers",
    ],
}

# --- time, language, logs ---------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"hide_links": {"()": "apps.core.log_filters.HideOneTimeLinks"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["hide_links"]}
    },
    "root": {"handlers": ["console"], "level": env.str("LLMOPS_LOG_LEVEL", "INFO")},
    "loggers": {
        "httpx2": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "django": {"handlers": []},  # in place of Django's own: what it says goes to the console once
    },
}
