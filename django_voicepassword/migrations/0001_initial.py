"""Create all tables, constraints and indexes.

Their names are fixed: tests and operators rely on them.
"""

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import uuid
from typing import Any

from django.conf import settings
from django.db import migrations, models

#: Name -> condition. These indexes cover rows that are rare and looked for, so that a list of them
#: need not scan all the others. MariaDB and MySQL have no partial indexes. Declared on the model,
#: they would cost a warning there with every migration; so this migration makes them by hand where
#: the database supports them.
PARTIAL_INDEXES = {
    "voicepassword_call_imported": "origin = 'imported'",
    "voicepassword_call_difference": "difference > 0",
    "voicepassword_call_error": "error_code <> ''",
}


def create_partial_indexes(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.features.supports_partial_indexes:
        table = schema_editor.quote_name("django_voicepassword_callrequest")
        for name, condition in PARTIAL_INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON {table} (created_at, id) WHERE {condition}")


def drop_partial_indexes(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.features.supports_partial_indexes:
        for name in PARTIAL_INDEXES:
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BalanceReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('balance', models.DecimalField(decimal_places=4, max_digits=14, verbose_name='balance')),
                ('currency', models.CharField(blank=True, max_length=16, verbose_name='currency')),
                ('read_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='read')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'balance reading',
                'verbose_name_plural': 'balance readings',
                'ordering': ['-read_at'],
                'indexes': [models.Index(fields=['read_at'], name='voicepassword_balance_read')],
            },
        ),
        migrations.CreateModel(
            name='ConsentText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64)),
                ('text', models.TextField(verbose_name='text')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='first shown')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'consent text',
                'verbose_name_plural': 'consent texts',
                'constraints': [models.UniqueConstraint(fields=('digest',), name='voicepassword_consent_digest')],
            },
        ),
        migrations.CreateModel(
            name='DailyStatistics',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(verbose_name='date')),
                ('rows', models.PositiveIntegerField(default=0, verbose_name='rows')),
                ('total_price', models.DecimalField(decimal_places=4, default=0, max_digits=14, verbose_name='total price')),
                ('counts', models.JSONField(blank=True, default=dict, verbose_name='counts by channel and state')),
                ('matched', models.PositiveIntegerField(default=0, verbose_name='matched')),
                ('imported', models.PositiveIntegerField(default=0, verbose_name='imported')),
                ('mismatched', models.PositiveIntegerField(default=0, verbose_name='mismatched')),
                ('missing', models.PositiveIntegerField(default=0, verbose_name='missing')),
                ('told_rows', models.PositiveIntegerField(blank=True, null=True, verbose_name='rows told')),
                ('unreadable', models.PositiveIntegerField(default=0, verbose_name='unreadable')),
                ('unreadable_rows', models.JSONField(blank=True, default=list, verbose_name='unreadable rows')),
                ('synced_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='synced')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'day of the statistics',
                'verbose_name_plural': 'daily statistics',
                'ordering': ['-date'],
                'constraints': [models.UniqueConstraint(fields=('date',), name='voicepassword_daily_date')],
            },
        ),
        migrations.CreateModel(
            name='Dashboard',
            fields=[
            ],
            options={
                'verbose_name': 'dashboard',
                'verbose_name_plural': 'dashboard',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('django_voicepassword.dailystatistics',),
        ),
        migrations.CreateModel(
            name='DayFigures',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(verbose_name='date')),
                ('channel', models.CharField(blank=True, default='', max_length=9, verbose_name='channel')),
                ('calls', models.PositiveIntegerField(default=0, verbose_name='calls')),
                ('answered', models.PositiveIntegerField(default=0, verbose_name='answered')),
                ('unanswered', models.PositiveIntegerField(default=0, verbose_name='not answered')),
                ('failed', models.PositiveIntegerField(default=0, verbose_name='failed')),
                ('unknown', models.PositiveIntegerField(default=0, verbose_name='unknown')),
                ('waiting', models.PositiveIntegerField(default=0, verbose_name='no final state yet')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='refused')),
                ('cost', models.DecimalField(decimal_places=4, default=0, max_digits=14, verbose_name='cost')),
                ('started', models.PositiveIntegerField(default=0, verbose_name='verifications started')),
                ('approved', models.PositiveIntegerField(default=0, verbose_name='verifications approved')),
                ('seconds', models.JSONField(blank=True, default=dict, verbose_name='seconds to the code')),
                ('counted_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='counted')),
                ('progress', models.JSONField(blank=True, default=dict, editable=False)),
            ],
            options={
                'verbose_name': 'figures of a day',
                'verbose_name_plural': 'figures by day',
                'constraints': [models.UniqueConstraint(fields=('channel', 'date'), name='voicepassword_figures_day')],
            },
        ),
        migrations.CreateModel(
            name='HourFigures',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(verbose_name='date')),
                ('channel', models.CharField(blank=True, default='', max_length=9, verbose_name='channel')),
                ('calls', models.PositiveIntegerField(default=0, verbose_name='calls')),
                ('answered', models.PositiveIntegerField(default=0, verbose_name='answered')),
                ('unanswered', models.PositiveIntegerField(default=0, verbose_name='not answered')),
                ('failed', models.PositiveIntegerField(default=0, verbose_name='failed')),
                ('unknown', models.PositiveIntegerField(default=0, verbose_name='unknown')),
                ('waiting', models.PositiveIntegerField(default=0, verbose_name='no final state yet')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='refused')),
                ('cost', models.DecimalField(decimal_places=4, default=0, max_digits=14, verbose_name='cost')),
                ('started', models.PositiveIntegerField(default=0, verbose_name='verifications started')),
                ('approved', models.PositiveIntegerField(default=0, verbose_name='verifications approved')),
                ('seconds', models.JSONField(blank=True, default=dict, verbose_name='seconds to the code')),
                ('hour', models.PositiveSmallIntegerField(verbose_name='hour')),
                ('weekday', models.PositiveSmallIntegerField(verbose_name='weekday')),
                ('prefixes', models.JSONField(blank=True, default=dict, editable=False)),
            ],
            options={
                'verbose_name': 'figures of an hour',
                'verbose_name_plural': 'figures by hour',
                'constraints': [models.UniqueConstraint(fields=('channel', 'date', 'hour'), name='voicepassword_figures_hour')],
            },
        ),
        migrations.CreateModel(
            name='LimitCounter',
            fields=[
                ('key', models.CharField(max_length=80, primary_key=True, serialize=False, verbose_name='key')),
                ('events', models.TextField(default='{}', verbose_name='events')),
                ('amount', models.DecimalField(decimal_places=4, default=0, max_digits=14, verbose_name='amount')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'limit counter',
                'verbose_name_plural': 'limit counters',
                'permissions': [('unblock_phone', 'Can unblock a phone number')],
            },
        ),
        migrations.CreateModel(
            name='PrefixFigures',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(verbose_name='date')),
                ('channel', models.CharField(blank=True, default='', max_length=9, verbose_name='channel')),
                ('calls', models.PositiveIntegerField(default=0, verbose_name='calls')),
                ('answered', models.PositiveIntegerField(default=0, verbose_name='answered')),
                ('unanswered', models.PositiveIntegerField(default=0, verbose_name='not answered')),
                ('failed', models.PositiveIntegerField(default=0, verbose_name='failed')),
                ('unknown', models.PositiveIntegerField(default=0, verbose_name='unknown')),
                ('waiting', models.PositiveIntegerField(default=0, verbose_name='no final state yet')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='refused')),
                ('cost', models.DecimalField(decimal_places=4, default=0, max_digits=14, verbose_name='cost')),
                ('started', models.PositiveIntegerField(default=0, verbose_name='verifications started')),
                ('approved', models.PositiveIntegerField(default=0, verbose_name='verifications approved')),
                ('seconds', models.JSONField(blank=True, default=dict, verbose_name='seconds to the code')),
                ('prefix', models.CharField(max_length=5, verbose_name='prefix')),
            ],
            options={
                'verbose_name': 'figures of a prefix',
                'verbose_name_plural': 'figures by prefix',
                'constraints': [models.UniqueConstraint(fields=('channel', 'date', 'prefix'), name='voicepassword_figures_prefix')],
            },
        ),
        migrations.CreateModel(
            name='Verification',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name='id')),
                ('phone', models.CharField(max_length=15, verbose_name='phone')),
                ('purpose', models.CharField(default='login', max_length=32, verbose_name='purpose')),
                ('status', models.CharField(choices=[('pending', 'pending'), ('approved', 'approved'), ('expired', 'expired'), ('max_attempts', 'no attempts left'), ('canceled', 'canceled')], default='pending', max_length=16, verbose_name='status')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('earlier_attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('sends', models.PositiveSmallIntegerField(default=0, verbose_name='sends')),
                ('code_length', models.PositiveSmallIntegerField(default=4, editable=False)),
                ('is_long', models.BooleanField(default=False, editable=False, verbose_name='long code')),
                ('idempotency_digest', models.CharField(blank=True, editable=False, max_length=64, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('approved_at', models.DateTimeField(blank=True, null=True, verbose_name='approved')),
                ('closed_at', models.DateTimeField(blank=True, null=True, verbose_name='closed')),
                ('redeemed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('last_sent_at', models.DateTimeField(blank=True, null=True, verbose_name='last sent')),
                ('ip', models.GenericIPAddressField(blank=True, null=True, verbose_name='client address')),
                ('consent', models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='django_voicepassword.consenttext', verbose_name='consent text')),
                ('user', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='phone_verifications', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'verification',
                'verbose_name_plural': 'verifications',
                'ordering': ['-created_at'],
                'permissions': [('cancel_verification', 'Can cancel a verification')],
            },
        ),
        migrations.CreateModel(
            name='CallRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone', models.CharField(max_length=15, verbose_name='phone')),
                ('phone_ending', models.GeneratedField(db_persist=True, expression=django.db.models.functions.text.Concat(django.db.models.functions.text.Right('phone', 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 2), 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 3), 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 4), 1)), output_field=models.CharField(max_length=4))),
                ('channel', models.CharField(choices=[('flashcall', 'flash call'), ('voice', 'voice call'), ('sms', 'SMS')], max_length=9, verbose_name='channel')),
                ('state', models.CharField(choices=[('queued', 'queued'), ('placing', 'placing'), ('placed', 'placed'), ('refused', 'refused'), ('unknown', 'unknown'), ('dialing', 'dialing'), ('answered', 'answered'), ('no_answer', 'no answer'), ('busy', 'busy'), ('canceled', 'canceled'), ('failed', 'failed'), ('sms_queued', 'SMS queued'), ('sms_sent', 'SMS sent'), ('delivered', 'delivered'), ('not_delivered', 'not delivered')], default='queued', max_length=13, verbose_name='state')),
                ('provider_id', models.CharField(blank=True, default='', max_length=64, verbose_name='provider id')),
                ('service', models.CharField(blank=True, default='', max_length=64, verbose_name='service')),
                ('price', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True, verbose_name='price')),
                ('duration', models.PositiveIntegerField(blank=True, null=True, verbose_name='duration, seconds')),
                ('origin', models.CharField(choices=[('app', 'this site'), ('imported', 'imported')], default='app', max_length=8, verbose_name='origin')),
                ('error_code', models.CharField(blank=True, default='', max_length=200, verbose_name='error code')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('claimed_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='claimed by a worker')),
                ('placed_at', models.DateTimeField(blank=True, null=True, verbose_name='placed')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('occurred_at', models.DateTimeField(blank=True, null=True, verbose_name="provider's date")),
                ('next_poll_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='next poll')),
                ('polls', models.PositiveSmallIntegerField(default=0, editable=False, verbose_name='polls')),
                ('code_digest', models.CharField(blank=True, default='', editable=False, max_length=64)),
                ('counted_address', models.CharField(blank=True, default='', editable=False, max_length=39)),
                ('lane', models.CharField(choices=[('proven', 'proven'), ('unproven', 'unproven')], default='unproven', editable=False, max_length=8, verbose_name='lane')),
                ('is_open', models.BooleanField(default=False, editable=False)),
                ('counted', models.TextField(blank=True, default='', editable=False)),
                ('capacity', models.PositiveSmallIntegerField(blank=True, editable=False, null=True)),
                ('listed_at', models.DateTimeField(blank=True, null=True, verbose_name='listed by the provider')),
                ('difference', models.PositiveSmallIntegerField(default=0, verbose_name='difference')),
                ('reserved_price', models.DecimalField(blank=True, decimal_places=4, editable=False, max_digits=12, null=True)),
                ('idempotency', models.JSONField(blank=True, editable=False, null=True)),
                ('verification', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='calls', to='django_voicepassword.verification', verbose_name='verification')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'call request',
                'verbose_name_plural': 'call requests',
                'ordering': ['-created_at', '-id'],
                'permissions': [('view_full_phone', 'Can see whole phone numbers'), ('ask_provider', 'Can ask the provider for the state of a call'), ('send_sms', 'Can send the code by SMS'), ('send_voice', 'Can have a robot call and say the code')],
            },
        ),
        migrations.CreateModel(
            name='VerifiedPhone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone', models.CharField(max_length=15, verbose_name='phone')),
                ('phone_ending', models.GeneratedField(db_persist=True, expression=django.db.models.functions.text.Concat(django.db.models.functions.text.Right('phone', 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 2), 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 3), 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 4), 1)), output_field=models.CharField(max_length=4))),
                ('verified_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='verified')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='verified_phones', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'verified phone',
                'verbose_name_plural': 'verified phones',
                'ordering': ['-verified_at'],
                'permissions': [('release_phone', 'Can release a phone number'), ('export_person', 'Can export all data of a person'), ('erase_person', 'Can erase all data of a person')],
            },
        ),
        migrations.CreateModel(
            name='CallStatus',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('queued', 'queued'), ('placing', 'placing'), ('placed', 'placed'), ('refused', 'refused'), ('unknown', 'unknown'), ('dialing', 'dialing'), ('answered', 'answered'), ('no_answer', 'no answer'), ('busy', 'busy'), ('canceled', 'canceled'), ('failed', 'failed'), ('sms_queued', 'SMS queued'), ('sms_sent', 'SMS sent'), ('delivered', 'delivered'), ('not_delivered', 'not delivered'), ('other', 'other')], max_length=13, verbose_name='state')),
                ('raw_state', models.CharField(blank=True, default='', max_length=64, verbose_name="provider's word")),
                ('source', models.CharField(choices=[('send', 'reply to sending'), ('callback', 'callback'), ('poll', 'poll'), ('daily', 'daily statistics')], max_length=8, verbose_name='source')),
                ('occurred_at', models.DateTimeField(blank=True, null=True, verbose_name="provider's date")),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='received')),
                ('duration', models.PositiveIntegerField(blank=True, null=True, verbose_name='duration, seconds')),
                ('price', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True, verbose_name='price')),
                ('payload', models.JSONField(blank=True, default=dict, verbose_name='payload')),
                ('repeats', models.PositiveIntegerField(db_default=0, default=0, verbose_name='repeats')),
                ('call', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='statuses', to='django_voicepassword.callrequest', verbose_name='call request')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'call status',
                'verbose_name_plural': 'call statuses',
                'ordering': ['id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('source__in', ['send', 'callback', 'poll', 'daily'])), name='voicepassword_status_source')],
            },
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(fields=['created_at'], name='voicepassword_ver_created'),
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(fields=['phone', 'created_at'], name='voicepassword_ver_phone'),
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(fields=['ip', 'created_at'], name='voicepassword_ver_ip'),
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(fields=['user', 'created_at'], name='voicepassword_ver_user'),
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(fields=['status', 'created_at'], name='voicepassword_ver_status'),
        ),
        migrations.AddConstraint(
            model_name='verification',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'approved', 'expired', 'max_attempts', 'canceled'])), name='voicepassword_verification_status'),
        ),
        migrations.AddConstraint(
            model_name='verification',
            constraint=models.CheckConstraint(condition=models.Q(('phone', ''), _negated=True), name='voicepassword_verification_phone'),
        ),
        migrations.AddConstraint(
            model_name='verification',
            constraint=models.UniqueConstraint(fields=('idempotency_digest',), name='voicepassword_verification_key'),
        ),
        migrations.AddConstraint(
            model_name='verification',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('approved_at__isnull', False), ('status', 'approved')), models.Q(models.Q(('status', 'approved'), _negated=True), ('approved_at__isnull', True)), _connector='OR'), name='voicepassword_verification_approved_at'),
        ),
        migrations.AddConstraint(
            model_name='verification',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='voicepassword_verification_lifetime'),
        ),
        migrations.AddIndex(
            model_name='callrequest',
            index=models.Index(fields=['created_at', 'id'], name='voicepassword_call_created'),
        ),
        migrations.AddIndex(
            model_name='callrequest',
            index=models.Index(fields=['phone', 'created_at'], name='voicepassword_call_phone'),
        ),
        migrations.AddIndex(
            model_name='callrequest',
            index=models.Index(fields=['state', 'created_at'], name='voicepassword_call_state'),
        ),
        migrations.AddIndex(
            model_name='callrequest',
            index=models.Index(fields=['provider_id'], name='voicepassword_call_provider'),
        ),
        migrations.AddIndex(
            model_name='callrequest',
            index=models.Index(fields=['next_poll_at'], name='voicepassword_call_poll'),
        ),
        migrations.AddIndex(
            model_name='callrequest',
            index=models.Index(fields=['phone_ending', 'created_at'], name='voicepassword_call_ending'),
        ),
        migrations.AddConstraint(
            model_name='callrequest',
            constraint=models.CheckConstraint(condition=models.Q(('channel__in', ['flashcall', 'voice', 'sms'])), name='voicepassword_call_channel'),
        ),
        migrations.AddConstraint(
            model_name='callrequest',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'placing', 'placed', 'refused', 'unknown', 'dialing', 'answered', 'no_answer', 'busy', 'canceled', 'failed', 'sms_queued', 'sms_sent', 'delivered', 'not_delivered'])), name='voicepassword_call_state'),
        ),
        migrations.AddConstraint(
            model_name='callrequest',
            constraint=models.CheckConstraint(condition=models.Q(('origin__in', ['app', 'imported'])), name='voicepassword_call_origin'),
        ),
        migrations.AddConstraint(
            model_name='callrequest',
            constraint=models.CheckConstraint(condition=models.Q(('price__isnull', True), ('price__gte', 0), _connector='OR'), name='voicepassword_call_price'),
        ),
        migrations.AddConstraint(
            model_name='callrequest',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'queued'), ('origin', 'imported'), ('claimed_at__isnull', False), ('state', 'refused'), _connector='OR'), name='voicepassword_call_claimed'),
        ),
        migrations.AddIndex(
            model_name='verifiedphone',
            index=models.Index(fields=['verified_at'], name='voicepassword_vp_verified'),
        ),
        migrations.AddIndex(
            model_name='verifiedphone',
            index=models.Index(fields=['phone_ending'], name='voicepassword_vp_ending'),
        ),
        migrations.AddConstraint(
            model_name='verifiedphone',
            constraint=models.UniqueConstraint(fields=('phone',), name='voicepassword_verifiedphone_phone'),
        ),
        migrations.AddConstraint(
            model_name='verifiedphone',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('phone', ''), _negated=True), models.Q(('phone__startswith', '+'), _negated=True)), name='voicepassword_verifiedphone_digits'),
        ),
        migrations.CreateModel(
            name='Person',
            fields=[
            ],
            options={
                'verbose_name': 'customer',
                'verbose_name_plural': 'find a customer',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('django_voicepassword.verifiedphone',),
        ),
        migrations.CreateModel(
            name='TrustedDevice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone', models.CharField(max_length=15, verbose_name='phone')),
                ('token_hash', models.CharField(editable=False, max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('last_used_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='last used')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='trusted_devices', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'base_manager_name': 'objects',
                'verbose_name': 'trusted device',
                'verbose_name_plural': 'trusted devices',
                'ordering': ['-last_used_at'],
                'indexes': [models.Index(fields=['phone'], name='voicepassword_device_of_phone'), models.Index(fields=['last_used_at'], name='voicepassword_device_used')],
                'constraints': [models.UniqueConstraint(fields=('token_hash', 'phone'), name='voicepassword_device_token_phone'), models.CheckConstraint(condition=models.Q(('phone', ''), _negated=True), name='voicepassword_device_phone')],
            },
        ),
        migrations.CreateModel(
            name='FraudTrip',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('block', 'block of numbers'), ('prefix', 'operator prefix'), ('network', 'network'), ('site', 'whole site')], max_length=7, verbose_name='kind')),
                ('subject', models.CharField(blank=True, default='', max_length=43, verbose_name='subject')),
                ('cause', models.CharField(choices=[('sends', 'sends without a right code'), ('guesses', 'wrong guesses')], max_length=7, verbose_name='cause')),
                ('mode', models.CharField(choices=[('audit', 'audit'), ('enforce', 'enforce')], max_length=7, verbose_name='mode')),
                ('active_key', models.CharField(blank=True, editable=False, max_length=64, null=True)),
                ('failures', models.PositiveIntegerField(verbose_name='failures')),
                ('threshold', models.PositiveIntegerField(verbose_name='threshold')),
                ('conversion', models.FloatField(blank=True, null=True, verbose_name='conversion')),
                ('usual', models.FloatField(blank=True, null=True, verbose_name='usual conversion')),
                ('tripped_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='tripped')),
                ('quiet_since', models.DateTimeField(blank=True, null=True, verbose_name='quiet since')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended')),
                ('end', models.CharField(blank=True, choices=[('calm', 'calm for an hour'), ('conversion', 'usual conversion again'), ('staff', 'lifted by staff')], default='', max_length=10, verbose_name='end')),
            ],
            options={
                'verbose_name': 'trip of the guard',
                'verbose_name_plural': 'trips of the guard',
                'ordering': ['-tripped_at', '-id'],
                'permissions': [('lift_fraudtrip', 'Can lift a trip of the guard')],
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['tripped_at', 'id'], name='voicepassword_trip_tripped'), models.Index(fields=['ended_at'], name='voicepassword_trip_ended')],
                'constraints': [models.UniqueConstraint(fields=('active_key',), name='voicepassword_trip_active')],
            },
        ),
        migrations.CreateModel(
            name='Protection',
            fields=[
            ],
            options={
                'verbose_name': 'protection',
                'verbose_name_plural': 'protection',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('django_voicepassword.fraudtrip',),
        ),
        migrations.CreateModel(
            name='RefusedAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone', models.CharField(max_length=15, verbose_name='phone')),
                ('phone_ending', models.GeneratedField(db_persist=True, expression=django.db.models.functions.text.Concat(django.db.models.functions.text.Right('phone', 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 2), 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 3), 1), django.db.models.functions.text.Left(django.db.models.functions.text.Right('phone', 4), 1)), output_field=models.CharField(max_length=4))),
                ('address', models.CharField(blank=True, default='', max_length=39, verbose_name='client address')),
                ('reason', models.CharField(max_length=32, verbose_name='reason')),
                ('count', models.PositiveIntegerField(default=1, verbose_name='attempts')),
                ('first_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='first')),
                ('last_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='last')),
            ],
            options={
                'verbose_name': 'refused attempt',
                'verbose_name_plural': 'refused attempts',
                'ordering': ['-last_at', '-id'],
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['last_at', 'id'], name='voicepassword_refused_last'), models.Index(fields=['address', 'last_at'], name='voicepassword_refused_address'), models.Index(fields=['phone_ending', 'last_at'], name='voicepassword_refused_ending')],
                'constraints': [models.UniqueConstraint(fields=('phone', 'address', 'reason'), name='voicepassword_refused_attempt'), models.CheckConstraint(condition=models.Q(('phone', ''), _negated=True), name='voicepassword_refused_phone')],
            },
        ),
        migrations.RunPython(create_partial_indexes, drop_partial_indexes),
    ]
