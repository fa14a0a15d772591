# The container on Fargate: no public address, no open port, autoscaling by the age of messages.
# Without `image`, only the image repository is created. Push an image there, then set `image`.

locals {
  name    = var.function == "" ? local.prefix : "${local.prefix}-${var.function}"
  running = var.image == null ? {} : { this = var.image }
  cluster = var.existing_cluster == null ? one(aws_ecs_cluster.this[*].name) : var.existing_cluster
  secrets = { for name in var.secret_names : name => "arn:${local.partition}:ssm:${var.region}:${local.account}:parameter${var.secrets_path}/${name}" }

  to_assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_ecr_repository" "this" {
  count                = var.existing_repository ? 0 : 1
  name                 = local.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protect

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecs_cluster" "this" {
  count = var.existing_cluster == null ? 1 : 0
  name  = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${local.name}"
  retention_in_days = var.log_retention
  kms_key_id        = var.kms_key_arn
}

# The execution role, which pulls the image, reads the secrets and writes the log.
resource "aws_iam_role" "start" {
  name               = "${local.name}-start"
  assume_role_policy = local.to_assume
}

resource "aws_iam_role_policy" "start" {
  name = "start"
  role = aws_iam_role.start.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "LogIn" # has no resource-level permissions
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.this.arn}:*"
        },
      ],
      [for repository in aws_ecr_repository.this : {
        Sid      = "Pull"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = repository.arn
      }],
      [for arns in length(local.secrets) == 0 ? [] : [values(local.secrets)] : {
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = "ssm:GetParameters"
        Resource = arns
      }],
      [for key in var.kms_key_arn == null ? [] : [var.kms_key_arn] : {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = key
      }],
    )
  })
}

# The task role, with the permissions of the routes only.
resource "aws_iam_role" "work" {
  name               = "${local.name}-work"
  assume_role_policy = local.to_assume
}

resource "aws_iam_role_policy" "work" {
  name   = "routes"
  role   = aws_iam_role.work.id
  policy = var.policy
}

resource "aws_iam_role_policy" "key" {
  count = var.kms_key_arn == null ? 0 : 1
  name  = "key"
  role  = aws_iam_role.work.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "UseKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.kms_key_arn }]
  })
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = local.running
  family                   = local.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.start.arn
  task_role_arn            = aws_iam_role.work.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = upper(var.architecture)
  }

  volume {
    name = "state"
  }

  container_definitions = jsonencode([{
    name                   = "service"
    image                  = each.value
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = 30
    environment            = [for name, value in merge(var.settings, var.more_variables) : { name = name, value = value }]
    secrets                = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
    mountPoints            = [{ sourceVolume = "state", containerPath = var.state_folder, readOnly = false }]
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }

    healthCheck = {
      command     = ["CMD", "python", "-m", "service.entrypoints.healthy"]
      interval    = 15
      timeout     = 5
      retries     = 4
      startPeriod = 30
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = "service"
      }
    }
  }])
}

# No inbound rule: reach the page through a tunnel (docs/deploy.md).
resource "aws_security_group" "this" {
  for_each    = local.running
  name        = local.name
  description = "Out only: the container of ${local.name}"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each          = aws_security_group.this
  security_group_id = each.value.id
  description       = "HTTPS to AWS and to the search server"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_ecs_service" "this" {
  for_each                           = aws_ecs_task_definition.this
  name                               = local.name
  cluster                            = local.cluster
  task_definition                    = each.value.arn
  desired_count                      = var.at_least
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 0 # the container that reads streams hands over its lease
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  wait_for_steady_state              = false
  depends_on                         = [aws_iam_role_policy.start, aws_iam_role_policy.work]

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = concat([aws_security_group.this[each.key].id], var.security_group_ids)
    assign_public_ip = false
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling changes it

    precondition {
      condition     = var.vpc_id != null && length(var.subnet_ids) > 0
      error_message = "The container needs vpc_id and private subnet_ids. Set them in config/ENV.container.tfvars."
    }
  }
}
